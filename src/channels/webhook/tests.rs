//! What goes out, what the answer means, what a configuration may say.

use super::super::{
    conformance::Case,
    testing::{Answer, Vendor, channel, config, message, reader},
};
use super::*;
use crate::domain::Span;
use secrecy::SecretString;

pub(in crate::channels) const CASE: Case = Case {
    kind: "webhook",
    config: "url = \"BASE/hooks/s3cret?key=s3cret\"\nheaders = { Authorization = \"Bearer s3cret\" }",
    accepted: (204, ""),
    vendor_id: None,
    reads_body: false,
};

/// A robot that says in its body whether it took the message.
pub(in crate::channels) const CASE_WITH_RULE: Case = Case {
    kind: "webhook",
    config: "url = \"BASE/send?key=s3cret\"\n\
             body = '{\"content\": {{ text | tojson }}}'\n\
             success = { status = [200], pointer = \"/errcode\", equals = \"0\" }",
    accepted: (200, r#"{"errcode":0,"errmsg":"ok"}"#),
    vendor_id: None,
    reads_body: true,
};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What goes out with those keys, and what follows from the answer.
async fn sent(keys: &str, answer: Answer) -> (super::super::testing::Seen, Outcome) {
    let vendor = Vendor::start([answer]).await;
    let keys = keys.replace("BASE", &vendor.url);
    let webhook = channel("webhook", &format!("allow_private_network = true\n{keys}"));
    let outcome = webhook.send(&message(), &reader()).await;
    (vendor.only(), outcome)
}

async fn body(keys: &str) -> Value {
    let (seen, _) = sent(keys, Answer::new(200, "")).await;
    serde_json::from_str(&seen.body).unwrap()
}

#[tokio::test]
async fn the_usual_body_is_an_envelope_with_everything() {
    let (seen, outcome) = sent("url = \"BASE/hook\"", Answer::new(202, "queued")).await;
    assert_eq!(outcome, Outcome::Accepted { vendor_id: None });
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/hook"));
    assert_eq!(seen.headers["content-type"], "application/json");
    assert!(!seen.headers.contains_key("webhook-id"));
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let expected = json!({
        "type": "notice.low_balance",
        "timestamp": "2026-11-20T18:04:05Z",
        "data": {
            "id": "n-42",
            "kind": "low_balance",
            "severity": "warning",
            "locale": "zh-CN",
            "subject": message().subject,
            "text": message().text,
            "short": message().short,
            "recipient": {
                "name": "Li Wei",
                "email": "li@example.com",
                "phone": "+12025550199",
                "address": "chat-7",
            },
            "params": message().params,
        },
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_signed_call_is_known_again_by_its_id() {
    let keys = format!("url = \"BASE/hook\"\nsecret = {KEY:?}\nsecret_old = \"{KEY}AAAA\"");
    let (seen, _) = sent(&keys, Answer::new(200, "")).await;
    assert_eq!(seen.headers["webhook-id"], "n-42");
    let stamp: i64 = seen.headers["webhook-timestamp"].parse().unwrap();
    let secrets = [KEY.to_owned(), format!("{KEY}AAAA")];
    let both = secrets.map(|text| sign::Key::parse(&SecretString::from(text)).unwrap());
    let again = sign::standard(&both, "n-42", Timestamp::from_ms(stamp * 1000), &seen.body);
    assert_eq!(seen.headers["webhook-signature"], again["webhook-signature"]);
    assert!(channel("webhook", &keys.replace("BASE", "https://a.example")).repeats_safely());
    assert!(!channel("webhook", "url = \"https://a.example/x\"").repeats_safely());
}

#[tokio::test]
async fn robots_get_their_own_signatures() {
    let text = "body = '{\"msgtype\":\"text\",\"text\":{\"content\":{{ text | tojson }}}}'\nsecret = \"SECabc\"";
    let keys =
        format!("url = \"BASE/robot/send?access_token=tok123\"\nsign = \"dingtalk\"\n{text}");
    let (seen, _) = sent(&keys, Answer::new(200, "{}")).await;
    let query = seen.path.strip_prefix("/robot/send?access_token=tok123&").unwrap();
    let stamp = query.strip_prefix("timestamp=").unwrap().split('&').next().unwrap();
    let at = Timestamp::from_ms(stamp.parse().unwrap());
    assert_eq!(query, sign::dingtalk(&"SECabc".into(), at));

    let body = body(&format!("url = \"BASE/hook/tok123\"\nsign = \"feishu\"\n{text}")).await;
    assert_eq!(body["text"]["content"], message().text);
    let seconds: i64 = body["timestamp"].as_str().unwrap().parse().unwrap();
    let again = sign::feishu(&"SECabc".into(), Timestamp::from_ms(seconds * 1000), "{}").unwrap();
    assert_eq!(body["sign"], serde_json::from_str::<Value>(&again).unwrap()["sign"]);
}

#[tokio::test]
async fn templates_name_everything_and_cannot_break_out() {
    let template = "{\"a\": {{ subject | tojson }}, \"p\": {{ params.balance | tojson }}, \
                    \"none\": {{ params.reference | tojson }}, \"all\": {{ params | tojson }}, \
                    \"who\": {{ (recipient.name ~ ' ' ~ recipient.phone)[:8] | tojson }}}";
    let found = body(&format!("url = \"BASE/x\"\nbody = {template:?}")).await;
    assert_eq!(found["a"], message().subject);
    assert_eq!((&found["p"], &found["none"]), (&json!("3.20 USD"), &json!("")));
    assert_eq!((&found["all"]["last4"], &found["who"]), (&json!("0123"), &json!("Li Wei +")));
    let keys = "url = \"BASE/{{ recipient.address }}/x?t={{ subject }}&u={{ id | urlencode }}\"";
    let (seen, _) = sent(keys, Answer::new(200, "")).await;
    assert!(seen.path.starts_with("/chat-7/x?t=%5Btopupd%5D%20%E9%93%B6"), "{}", seen.path);
    assert!(seen.path.ends_with("%E9%A2%9D&u=n-42"), "{}", seen.path);
    // Nor can an address lead elsewhere.
    let webhook = channel("webhook", "url = \"https://a.example/{{ recipient.address }}\"");
    let recipient = Recipient { address: Some("..".to_owned()), ..reader() };
    let outcome = webhook.send(&message(), &recipient).await;
    assert!(matches!(outcome, Outcome::BadConfig { .. }), "{outcome:?}");
}

#[test]
fn it_needs_what_its_templates_name() {
    for (keys, needs) in [
        ("url = \"https://a.example/x\"", Needs::Nothing),
        ("url = \"https://a.example/{{ recipient.address }}\"", Needs::Address),
        (
            "url = \"https://a.example/x\"\nbody = '{{ recipient.address | tojson }}'",
            Needs::Address,
        ),
        ("url = \"https://a.example/x\"\nbody = '{{ recipient.phone | tojson }}'", Needs::Phone),
        ("url = \"https://a.example/x\"\nbody = '{{ recipient.email | tojson }}'", Needs::Email),
        ("url = \"https://a.example/x\"\nbody = '{{ recipient.name | tojson }}'", Needs::Nothing),
    ] {
        assert_eq!(config("webhook", keys).unwrap().needs(), needs, "{keys}");
    }
}

#[tokio::test]
async fn the_answer_is_sorted_by_the_rules() {
    let rules = "url = \"BASE/send?key=s3cret1\"\n\
                 success = { status = [200], pointer = \"/errcode\", equals = 0 }\n\
                 retry_when = { \"/errcode\" = [45009, -1] }\nfinal = { \"/errmsg\" = [\"gone\"] }";
    let plain = "url = \"BASE/hook\"";
    let listed = "url = \"BASE/hook\"\nsuccess = { status = [200, 409] }";
    let has_id = "url = \"BASE/hook\"\nsuccess = { pointer = \"/id\" }";
    for (keys, status, said, expected) in [
        (rules, 200, r#"{"errcode":0}"#, "Accepted"),
        (rules, 200, r#"{"errcode":"0"}"#, "Accepted"),
        (rules, 200, r#"{"errcode":45009,"errmsg":"freq s3cret1"}"#, "Retry"),
        (rules, 200, r#"{"errcode":-1}"#, "Retry"),
        (rules, 200, r#"{"errcode":93000}"#, "BadConfig"),
        (rules, 200, r#"{"errcode":0,"errmsg":"gone"}"#, "BadConfig"),
        (rules, 200, r#"{"errmsg":"ok"}"#, "Ambiguous"),
        (rules, 204, "", "BadConfig"),
        (plain, 204, "", "Accepted"),
        (plain, 410, "", "BadConfig { why: \"the endpoint is gone"),
        (plain, 404, "", "BadConfig"),
        (plain, 502, "", "Ambiguous"),
        (listed, 409, "", "Accepted"),
        (listed, 204, "", "BadConfig"),
        (has_id, 200, r#"{"id":7}"#, "Accepted"),
        (has_id, 200, r#"{"id":null}"#, "BadConfig"),
        (has_id, 200, "{}", "Ambiguous"),
    ] {
        let (_, outcome) = sent(keys, Answer::new(status, said)).await;
        let shown = format!("{outcome:?}");
        assert!(shown.starts_with(expected), "{keys} {status} {said}: {shown}");
        assert!(!shown.contains("s3cret1"), "{shown}");
    }
    let headers = vec![("retry-after", "60".to_owned())];
    let busy = Answer { headers, ..Answer::new(429, "{\"retry_after\":60000}") };
    let (_, outcome) = sent(plain, busy).await;
    let Outcome::Retry { after, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(after, Some(Span::seconds(60)));
}

#[test]
fn broken_configurations_are_faults_and_show_nothing() {
    let url = "url = \"https://a.example/s3cret1\"";
    for (keys, words) in [
        ("", "url: missing"),
        ("url = \"a.example/s3cret1\"", "allowed is https://HOST"),
        ("url = \"https://li:s3cret1@a.example/x\"", "allowed is https://HOST"),
        ("url = \"https://{{ id }}.example/s3cret1\"", "allowed is https://HOST"),
        ("url = \"https://a.example/s3cret1/{{ nonsense }}\"", "it can name id, kind"),
        ("url = \"https://a.example/s3cret1/{{ id\"", "MiniJinja"),
        (&format!("{url}\nbody = '{{\"s3cret1\": {{{{ nonsense }}}}}}'"), "it can name id, kind"),
        (&format!("{url}\nbody = '{{\"s3cret1\": \"{{{{ text }}}}\"}}'"), "text | tojson"),
        (&format!("{url}\nsecret = \"s3cret1\""), "whsec_"),
        (&format!("{url}\nsecret_old = {KEY:?}"), "only beside `secret`"),
        (&format!("{url}\nsign = \"feishu\""), "secret: missing"),
        (&format!("{url}\nsign = \"luck\""), "dingtalk, feishu"),
        (&format!("{url}\nsuccess = {{ equals = \"0\" }}"), "only with `pointer`"),
        (&format!("{url}\nsuccess = {{ pointer = \"errcode\" }}"), "JSON pointers"),
        (&format!("{url}\nretry_when = {{ errcode = [1] }}"), "JSON pointers"),
        (&format!("{url}\ntimeout = \"1h\""), "up to 1m"),
        (&format!("{url}\ntypo = 1"), "unknown key"),
    ] {
        let faults = config("webhook", keys).unwrap_err();
        let all = faults.join("\n");
        assert!(faults.len() == 1 && all.contains(words), "{keys}: {all}");
        assert!(!all.contains("s3cret1"), "{all}");
    }
    let form = format!("{url}\ncontent_type = \"text/plain\"\nbody = \"{{{{ text }}}}\"");
    assert!(config("webhook", &form).is_ok());
    let whole = format!("{url}\nsecret = {KEY:?}\nheaders = {{ X-Key = \"s3cret1\" }}");
    let (read, built) = (config("webhook", &whole).unwrap(), channel("webhook", &whole));
    let shown = format!("{read:?} {built:?}");
    assert!(!shown.contains("s3cret1") && !shown.contains("MfKQ"), "{shown}");
}

#[tokio::test]
async fn a_test_does_not_call_the_hook() {
    let vendor = Vendor::start([Answer::new(404, "")]).await;
    let keys = format!("allow_private_network = true\nurl = \"{}/hook/tok123\"", vendor.url);
    let said = channel("webhook", &keys).test().await.unwrap();
    assert!(said.contains("was not called") && !said.contains("tok123"), "{said}");
    assert_eq!((vendor.only().method.as_str(), vendor.only().path.as_str()), ("GET", "/"));
}
