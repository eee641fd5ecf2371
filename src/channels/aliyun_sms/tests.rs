//! The signature, the request, the table of codes, reports and their proof.

use super::super::testing::{Answer, Vendor, call, channel, config, message, reader};
use super::*;
use crate::domain::{Msisdn, NoticeKind};

fn text(base: &str) -> String {
    CASE.table(base).replace("s3cret", "SECRET")
}

#[test]
fn the_signature_is_that_of_the_official_library() {
    let call = Call {
        action: "SendSms",
        host: "dysmsapi.aliyuncs.com".to_owned(),
        path: "/".to_owned(),
        query: canonical(&[
            ("PhoneNumbers", "13800000000"),
            ("SignName", "\u{67d0}\u{67d0}\u{901a}\u{77e5}"),
            ("TemplateCode", "SMS_123456"),
            ("TemplateParam", r#"{"line":"Home1","bal":"1.20"}"#),
            ("OutId", "evt-1"),
        ]),
        date: "2026-11-20T18:06:17Z".to_owned(),
        nonce: "beb11f19".to_owned(),
    };
    assert_eq!(
        call.query,
        "OutId=evt-1&PhoneNumbers=13800000000&SignName=%E6%9F%90%E6%9F%90%E9%80%9A%E7%9F%A5\
         &TemplateCode=SMS_123456&TemplateParam=%7B%22line%22%3A%22Home1%22%2C%22bal%22%3A%221.20%22%7D"
    );
    assert_eq!(
        call.authorization("AKID", &SecretString::from("SECRET")),
        "ACS3-HMAC-SHA256 Credential=AKID,SignedHeaders=host;x-acs-action;x-acs-content-sha256;\
         x-acs-date;x-acs-signature-nonce;x-acs-version,\
         Signature=a6415fbab699f37f4be709add6ad8722a77c056c276f53ba96b088b50ac48584"
    );
    assert_eq!(encode("a-_.~ *+/\u{e9}"), "a-_.~%20%2A%2B%2F%C3%A9");
}

#[tokio::test]
async fn the_request_is_that_of_the_official_library() {
    let vendor = CASE.vendor().await;
    let aliyun = channel("aliyun_sms", &text(&vendor.url));
    let chinese = Msisdn::parse("+8613800000000").ok();
    let chinese = Recipient { phone: chinese, ..reader() };
    aliyun.send(&message(), &chinese).await;
    aliyun.send(&message(), &reader()).await;
    let [seen, foreign] = &vendor.seen()[..] else { panic!("two requests") };
    assert_eq!(seen.method, "POST");
    assert_eq!(
        seen.path,
        "/?OutId=n-42&PhoneNumbers=13800000000&SignName=%E6%9F%90%E6%9F%90%E9%80%9A%E7%9F%A5\
         &TemplateCode=SMS_123456&TemplateParam=%7B%22bal%22%3A%223.20%20USD%22%2C%22line%22%3A%22%E9%93%B6%E8%A1%8C%E5%8D%A1%22%7D"
    );
    assert!(foreign.path.contains("PhoneNumbers=12025550199&"), "{}", foreign.path);
    assert_eq!((seen.body.as_str(), &seen.headers["accept"][..]), ("", "application/json"));
    assert_eq!(seen.headers["x-acs-content-sha256"], cloud::sha256_hex(b""));
    assert_eq!(seen.headers["x-acs-date"].len(), "2026-11-20T18:06:17Z".len());
    let nonce = |seen: &super::super::testing::Seen| seen.headers["x-acs-signature-nonce"].clone();
    assert_ne!(nonce(seen), nonce(foreign));
    // Signed as it was sent, `Host` included.
    let call = Call {
        action: &seen.headers["x-acs-action"],
        host: seen.headers["host"].clone(),
        path: "/".to_owned(),
        query: seen.path.trim_start_matches("/?").to_owned(),
        date: seen.headers["x-acs-date"].clone(),
        nonce: nonce(seen),
    };
    let expected = call.authorization("AKID", &SecretString::from("SECRET"));
    assert_eq!(seen.headers["authorization"], expected);
}

#[tokio::test]
async fn codes_are_sorted_whatever_the_status() {
    for (status, code, said, expected) in [
        (200, "isv.MOBILE_NUMBER_ILLEGAL", "", "BadRecipient"),
        (200, "isv.DOMESTIC_NUMBER_NOT_SUPPORTED", "", "BadRecipient"),
        (200, "isv.AMOUNT_NOT_ENOUGH", "", "BadConfig"),
        (200, "isv.OUT_OF_SERVICE", "", "BadConfig"),
        (200, "isv.SMS_TEMPLATE_ILLEGAL", "", "BadConfig"),
        (200, "isv.TEMPLATE_MISSING_PARAMETERS", "", "BadConfig"),
        (200, "isv.DAY_LIMIT_CONTROL", "", "BadConfig"),
        (200, "isv.SOMETHING_NEW", "SECRET", "BadConfig"),
        (200, "isv.BUSINESS_LIMIT_CONTROL", "\u{5206}", "Retry { after: Some(Span(60000))"),
        (
            200,
            "isv.BUSINESS_LIMIT_CONTROL",
            "\u{5c0f}\u{65f6}",
            "Retry { after: Some(Span(3600000))",
        ),
        (200, "isv.BUSINESS_LIMIT_CONTROL", "\u{5929}", "Retry { after: Some(Span(21600000))"),
        (200, "isp.SYSTEM_ERROR", "", "Ambiguous"),
        (400, "Throttling.User", "", "Retry"),
        (400, "SignatureDoesNotMatch", "", "BadConfig"),
        (404, "InvalidAccessKeyId.NotFound", "", "BadConfig"),
        (503, "ServiceUnavailable", "", "Ambiguous"),
        (500, "SomethingNew", "", "Ambiguous"),
        (400, "OK", "", "BadConfig"),
    ] {
        let body = json!({ "Code": code, "Message": said, "RequestId": "r" }).to_string();
        let vendor = Vendor::start([Answer::new(status, &body)]).await;
        let outcome = channel("aliyun_sms", &text(&vendor.url)).send(&message(), &reader()).await;
        let said = format!("{outcome:?}");
        assert!(said.starts_with(expected) && !said.contains("SECRET"), "{code}: {said}");
    }
}

#[tokio::test]
async fn a_kind_without_a_template_is_not_sent() {
    let vendor = CASE.vendor().await;
    let other = Message { kind: NoticeKind::TopupFailed, ..message() };
    let outcome = channel("aliyun_sms", &text(&vendor.url)).send(&other, &reader()).await;
    assert!(matches!(outcome, Outcome::BadConfig { .. }), "{outcome:?}");
    assert!(vendor.seen().is_empty());
}

#[tokio::test]
async fn the_key_is_tried_without_a_message() {
    for (body, is_fine) in [
        (r#"{"Code":"OK","TotalCount":0}"#, true),
        (r#"{"Code":"isp.RAM_PERMISSION_DENY"}"#, false),
        ("{}", false),
    ] {
        let vendor = Vendor::start([Answer::new(200, body)]).await;
        let tested = channel("aliyun_sms", &text(&vendor.url)).test().await;
        assert_eq!(tested.is_ok(), is_fine, "{tested:?}");
        assert_eq!(vendor.only().headers["x-acs-action"], "QuerySendDetails");
    }
}

/// Posted to the address that has the secret in it.
fn posted(body: &str) -> HookCall {
    let query = vec![("token".to_owned(), "0123456789abcdef".to_owned())];
    HookCall { query, ..call(&[], body) }
}

fn hearing() -> Arc<dyn Channel> {
    let text = format!("secret = \"0123456789abcdef\"\n{}", text("http://127.0.0.1:9"));
    channel(CASE.kind, &text)
}

#[test]
fn reports_come_in_lists_under_the_id_that_was_given() {
    let body = r#"[
        {"phone_number": "13800000000", "send_time": "2026-11-20 10:00:00",
         "report_time": "2026-11-20 10:00:03", "success": true, "err_code": "DELIVERED",
         "err_msg": "delivered", "sms_size": "1", "biz_id": "9006^0", "out_id": "n-42"},
        {"phone_number": "13800000001", "success": false, "err_code": "MK:0001",
         "err_msg": "no SECRET", "sms_size": "1", "biz_id": "9007^0", "out_id": "n-43"},
        {"success": false, "biz_id": "9008^0"},
        {"success": "true", "biz_id": "9009^0"},
        {"success": true, "out_id": "n-44"},
        {"To": "8520000000", "Status": "1", "MessageId": "9010"},
        7
    ]"#;
    let report = |id: &str, delivery| Report { message: id.to_owned(), delivery };
    let failed = |why: &str| Delivery::Failed { why: why.to_owned() };
    let heard = hearing().hear(&posted(body)).unwrap();
    assert_eq!(heard[0], report("9006^0", Delivery::Delivered));
    assert!(format!("{:?}", heard[1]).contains("MK:0001: no ") && heard[1].message == "9007^0");
    assert!(!format!("{heard:?}").contains("SECRET"), "{heard:?}");
    assert_eq!(heard[2..], [report("9008^0", failed("?: ?"))]);
    assert_eq!(hearing().hear(&posted("[]")), Ok(Vec::new()));
    assert_eq!(hearing().answer(2).to_string(), r#"{"code":0,"msg":"OK"}"#);
}

#[test]
fn what_is_no_list_of_reports_is_said_to_be_none() {
    for body in
        ["", "{", "{}", "null", r#"{"success":true,"biz_id":"1"}"#, "[7]", r#"[{"biz_id":""}]"#]
    {
        let heard = hearing().hear(&posted(body));
        assert!(matches!(heard, Err(HookError::Malformed(_))), "{body}: {heard:?}");
    }
}

#[test]
fn reports_are_taken_from_who_knows_the_secret() {
    let body = r#"[{"success":true,"biz_id":"9006^0"}]"#;
    let bearer = call(&[("authorization", "Bearer 0123456789abcdef")], body);
    for good in [posted(body), bearer] {
        assert_eq!(hearing().hear(&good).map(|heard| heard.len()), Ok(1));
        // Without a secret nobody is heard.
        assert!(matches!(CASE.alone().hear(&good), Err(HookError::Closed(_))));
    }
    for token in ["", "0123456789abcdee", "0123456789abcde", "0123456789abcdef0"] {
        let query = vec![("token".to_owned(), token.to_owned())];
        let heard = hearing().hear(&HookCall { query, ..call(&[], body) });
        assert!(matches!(heard, Err(HookError::Unproven(_))), "{token}: {heard:?}");
    }
    let heard = hearing().hear(&call(&[], body));
    assert!(matches!(heard, Err(HookError::Unproven(_))), "{heard:?}");
    let short = format!("secret = \"0123456789abcde\"\n{}", text("http://127.0.0.1:9"));
    let faults = config(CASE.kind, &short).unwrap_err().join("\n");
    assert!(faults.contains("at least 16") && !faults.contains("0123456789abcde"), "{faults}");
}
