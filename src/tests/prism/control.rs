//! That Prism and the pass-through do notice what is wrong: else their silence would prove nothing.

use super::{Prism, Recorder, fake_of, program, provider, recorder::client, spec, unnamed};
use crate::support::line;
use serde_json::json;
use topupd::{domain::Subscription, sim::fakes::Fake};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_published_is_noticed() {
    let Some(program) = program::program().await else { return };
    let kind = fake_of("telnyx");
    let fake = Fake::start(kind).await.unwrap();
    let prism = Prism::before(program, &spec("telnyx"), &fake.url()).await;
    let recorder = Recorder::before(&prism.url).await;
    let url = recorder.url();
    let wallet = Subscription { msisdn: None, iccid: None, ..line("li", 1) };

    let telnyx = provider(&kind, &url, "hush").await;
    assert!(telnyx.read(&wallet).await.is_ok());
    assert_eq!(recorder.seen().violations, Vec::<String>::new());

    // An answer with a number where texts are published; the adapter would take it.
    let odd = json!({"record_type": "balance", "balance": 300, "currency": "USD"});
    fake.shared().books().world.insert("balance".to_owned(), odd);
    assert!(telnyx.read(&wallet).await.is_err());
    let said = recorder.seen().violations;
    assert!(said.len() == 1 && said[0].contains("data.balance must be string"), "{said:?}");

    // A call that is not in the file, and one without a key.
    let client = client();
    for path in ["/v2/nothing", "/v2/balance"] {
        client.get(format!("{url}{path}")).send().await.unwrap();
    }
    let said = recorder.seen().violations;
    assert!(said.len() == 3, "{said:?}");
    assert!(said[1].contains("NO_PATH_MATCHED") && said[2].contains("UNAUTHORIZED"), "{said:?}");
}

/// A message as its gateway publishes it, and what is wrong in others.
struct Sent {
    file: &'static str,
    path: &'static str,
    /// The content type.
    of: &'static str,
    key: &'static str,
    right: &'static str,
    /// What stands in the right one, what stands there instead, and what is said of it.
    wrong: &'static [(&'static str, &'static str, &'static str)],
}

const FORM: &str = "application/x-www-form-urlencoded";
const SENT: [Sent; 3] = [
    Sent {
        file: "twilio_messages",
        path: "/2010-04-01/Accounts/ACdeadbeefdeadbeefdeadbeefdeadbeef/Messages.json",
        of: FORM,
        key: "Basic YTpi",
        right: "To=%2B12025550199&From=%2B15005550006&Body=x&ValidityPeriod=14400",
        wrong: &[
            ("%2B12025550199", "12025550199", "property To must match pattern"),
            ("Body=x", "Text=x", "property 'Body'"),
            ("ValidityPeriod=14400", "ValidityPeriod=0", "property ValidityPeriod must be >= 1"),
            ("&From=%2B15005550006", "", "property 'From'"),
            ("ValidityPeriod", "Validity", "Validity"),
        ],
    },
    Sent {
        file: "vonage",
        path: "/sms/json",
        of: FORM,
        key: "Basic YTpi",
        right: "to=12025550199&from=topupd&text=x&type=unicode&ttl=14400000&client-ref=n-42",
        wrong: &[
            ("to=12025550199", "to=%2B12025550199", "property to must match pattern"),
            ("&from=topupd", "", "property 'from'"),
            ("type=unicode", "type=ucs2", "property type must be equal"),
            ("ttl=14400000", "ttl=14400", "property ttl must be >= 20000"),
            ("client-ref=n-42", "client_ref=n-42", "client_ref"),
            (
                "n-42",
                "n-42-n-42-n-42-n-42-n-42-n-42-n-42-n-42-n-42",
                "property client-ref must NOT",
            ),
        ],
    },
    Sent {
        file: "telnyx_messages",
        path: "/v2/messages",
        of: "application/json",
        key: "Bearer hush",
        right: r#"{"to":"+12025550199","from":"+15005550006","text":"x","encoding":"auto"}"#,
        wrong: &[
            ("+12025550199", "12025550199", "property to must match pattern"),
            (r#","from":"+15005550006""#, "", "property 'from'"),
            (r#","text":"x""#, "", "property 'text'"),
            ("auto", "unicode", "property encoding must be equal"),
            ("encoding", "coding", "'coding'"),
        ],
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_as_published_is_refused() {
    let Some(program) = program::program().await else { return };
    for sent in SENT {
        let file = spec(sent.file);
        let prism = Prism::playing(program, &file).await;
        let recorder = Recorder::before(&prism.url).await;
        // What is said of this one alone.
        let post = async |key: &str, body: String| {
            let before = recorder.seen();
            let url = format!("{}{}", recorder.url(), sent.path);
            let request = client().post(url).header("authorization", key);
            request.header("content-type", sent.of).body(body).send().await.unwrap();
            let mut seen = recorder.seen();
            seen.requests.drain(..before.requests.len());
            seen.violations.drain(..before.violations.len());
            [unnamed(&file, &seen), seen.violations].concat()
        };
        let said = post(sent.key, sent.right.to_owned()).await;
        assert_eq!(said, Vec::<String>::new(), "{}", sent.file);
        for (right, wrong, word) in sent.wrong {
            assert!(sent.right.contains(right), "{right}");
            let said = post(sent.key, sent.right.replacen(right, wrong, 1)).await;
            assert!(said.iter().any(|said| said.contains(word)), "{wrong}: {said:?}");
        }
        let said = post("", sent.right.to_owned()).await;
        assert!(said.len() == 1 && said[0].contains("UNAUTHORIZED"), "{said:?}");
    }
}
