//! Every adapter of an API, as published.

use super::{Part, hold};

#[tokio::test(flavor = "multi_thread")]
async fn reloadly_is_as_published() {
    let airtime = Part { worlds: &[("fee", "1.5")], ..Part::of("reloadly") };
    hold("reloadly", &[airtime, airtime.code("1230")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dingconnect_is_as_published() {
    let endings = &["001", "002", "003", "004", "005", "007", "008", "009"];
    let worlds = &[("nearest", "9.5"), ("more", "true")];
    let airtime = Part { endings, worlds, ..Part::of("dingconnect") };
    hold("dingconnect", &[airtime, airtime.code("US_T9_PIN_10.00")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dtone_is_as_published() {
    let endings = &["002", "003", "004", "005", "006", "007"];
    let worlds = &[
        ("empty_is_404", "true"),
        ("expired", "true"),
        ("create_error", r#"{"status": 503, "code": 1009503}"#),
        ("confirm_error", r#"{"status": 400, "code": 1007004}"#),
    ];
    let airtime = Part { endings, worlds, ..Part::of("dtone") };
    let esim = Part::esim("777:esim", "8944500102102198405");
    hold("dtone", &[airtime, airtime.code("125"), esim]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zendit_is_as_published() {
    let worlds = &[("fails", "\"INSUFFICIENT_FUNDS\"")];
    let airtime = Part { worlds, ..Part::of("zendit") };
    let ranged = Part { word: "open", product: Some("TMOBILE_US_OPEN/cost"), ..airtime };
    hold("zendit", &[airtime, ranged, Part::esim("ESIM-US-30D-3GB", "8910300000005271142")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn celitech_is_as_published() {
    let worlds = &[("key", "\"running\""), ("key", "\"down\""), ("key", "\"forgotten\"")];
    hold("celitech", &[Part { worlds, ..Part::of("celitech") }]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn airalo_is_as_published() {
    let worlds = &[("status", "\"RECYCLED\""), ("no_packages", "true"), ("price", "12")];
    hold("airalo", &[Part { worlds, ..Part::of("airalo") }]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn onence_is_as_published() {
    let worlds =
        &[("expired", "\"8988228066600000001\""), ("no_method", "\"creditcard\""), ("sms", "null")];
    hold("onence", &[Part { worlds, ..Part::of("onence") }]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emnify_is_as_published() {
    let worlds = &[("sim", r#"{"id": 9, "iccid": "8988303000000099999"}"#), ("quota", "null")];
    hold("emnify", &[Part { worlds, ..Part::of("emnify") }]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn esim_access_is_as_published() {
    let worlds = &[("error", "\"900001\""), ("status", "\"USED_EXPIRED\"")];
    hold("esim_access", &[Part { worlds, ..Part::of("esim_access") }]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn telnyx_is_as_published() {
    hold("telnyx", &[Part { worlds: &[("preferences", "null")], ..Part::of("telnyx") }]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_is_as_published() {
    hold("twilio", &[Part::of("twilio")]).await;
}
