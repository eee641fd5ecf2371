//! That Prism and the pass-through do notice what is wrong: else their silence would prove nothing.

use super::{Prism, Recorder, fake_of, program, provider, recorder::client, spec};
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
