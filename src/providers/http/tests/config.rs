//! What a config may say, and how it is told what it may not.

use super::super::testing::{config, edited, example};
use crate::domain::Span;
use crate::providers::{Declares, Lookup, RefUnique};

/// The faults of the example after `edit`, as people see them.
fn faults(edit: impl FnOnce(String) -> String) -> String {
    let faults = edited(edit).expect_err("a fault");
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn swap(from: &'static str, to: &'static str) -> impl FnOnce(String) -> String {
    move |text| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    }
}

#[test]
fn the_example_is_read_whole_and_prints_no_secret() {
    let config = edited(|text| text).unwrap();
    let expected = Declares {
        reads: true,
        tops_up: true,
        lookup: Lookup::ByRef,
        ref_unique: RefUnique::Strict,
        max_processing: Span::seconds(5),
        balance_lag: Span::ZERO,
        timeout: Span::seconds(10),
        ..Declares::default()
    };
    assert_eq!(config.declares(), expected);
    let shown = format!("{config:?}");
    assert!(!shown.contains("s3cret") && shown.contains("token"), "{shown}");
}

#[test]
fn every_fault_names_its_place() {
    for (from, to, expected) in [
        ("base_url = \"http:", "base_url = \"ftp:", "carrier.http.base_url: found \"ftp:"),
        ("/127.0.0.1:9", "/me:hunter2@127.0.0.1:9", "base_url: found <secret>"),
        ("{{ reference }}\",", "{{ reference\",", "topup.body: found"),
        ("{{ amount }}", "{{ price }}", "price, which is not known here"),
        ("{{ amount }}", "{{ transaction_id }}", "transaction_id, which is not known here"),
        ("lines/{{ subscription.msisdn }}", "lines/{{ reference }}", "uses reference"),
        ("secret.token", "secret.key", "secrets.key: missing; allowed is a secret"),
        (
            "\"/balance/amount\"",
            "\"balance\"",
            "read.balance: found \"balance\"; allowed is a JSON Pointer",
        ),
        ("\"/balance/amount\"", "\"$.a[\"", "read.balance"),
        ("unit = \"MB\"", "unit = \"MT\"", "read.data_left.unit"),
        ("\"/expires_at\"", "{ at = \"/e\", format = \"%d.%m\" }", "read.service_end.format"),
        ("\"/balance/currency\"", "{ fixed = \"BTC\" }", "read.currency.fixed"),
        ("currency = \"/balance/currency\"\n", "", "read.currency: missing"),
        ("paid = [\"done\"]", "", "topup.paid: missing"),
        ("paid = [\"done\"]", "paid = [\"pending\"]", "stand in no other list"),
        ("status = \"/status\"", "", "topup.status: missing"),
        ("[402, 422]", "[200]", "topup.refused_http"),
        ("[402, 422]", "[409]", "409 is not allowed"),
        ("path = \"/v1/topups\"", "path = \"v1\"", "topup.path: found \"v1\"; allowed is a path"),
        ("\"POST\"", "\"DELETE\"", "topup.method"),
        ("ref={{ reference }}", "ref=1", "http.find"),
        ("\"by_ref\"", "\"by_magic\"", "declares.lookup"),
        ("timeout = \"10s\"", "timeout = \"soon\"", "http.timeout"),
        ("timeout = \"10s\"", "tiemout = \"10s\"", "http.tiemout: found"),
        ("timeout = \"10s\"", "concurrency = 2000", "http.concurrency"),
        ("timeout = \"10s\"", "rate = \"fast\"", "http.rate"),
        ("{\"ref\":\"{{ reference }}\",", "{", "{{ reference }}"),
        (
            "\"amount\":\"{{ amount }}\"",
            "\"amount\":{{ subscription.label }}",
            "not JSON once rendered",
        ),
        ("\"{{ amount }}\"", "\"{{ secret.token|upper }}\"", "must stand alone"),
        ("Bearer {{ secret.token }}", "s3cret {{ oops", "headers.Authorization: found <secret>"),
        (
            "Bearer {{ secret.token }}",
            "{{ oops }}",
            "headers: found <secret>; providers.carrier.http.headers.Authorization uses oops",
        ),
    ] {
        let found = faults(swap(from, to));
        assert!(found.contains(expected), "{from} -> {to}\n{found}");
        assert!(!found.contains("s3cret") && !found.contains("hunter2"), "{found}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let found = faults(|text| {
        text.replace("10s", "soon")
            .replace("\"MB\"", "\"MT\"")
            .replace("422", "200")
            .replace("/v1/lines", "v1")
    });
    assert_eq!(found.lines().count(), 4, "{found}");
}

#[test]
fn what_is_not_declared_is_weak() {
    let text = example("http://127.0.0.1:9");
    let (before, _) = text.split_once("[declares]").unwrap();
    let found = config(before).unwrap().declares();
    assert_eq!((found.lookup, found.ref_unique), (Lookup::ByRef, RefUnique::NotEnforced));
    assert_eq!(found.max_processing, Span::seconds(90));
    assert_eq!(
        found.timeout,
        Span::seconds(100),
        "a given timeout below max_processing is too short for money"
    );
    let (before, _) = before.split_once("[find]").unwrap();
    assert_eq!(config(before).unwrap().declares().lookup, Lookup::None);
    assert!(config(&format!("{before}[declares]\nlookup = \"by_ref\"")).is_err());
    let (before, _) = before.split_once("[topup]").unwrap();
    let found = config(before).unwrap().declares();
    assert!(found.reads && !found.tops_up);
    let (before, _) = before.split_once("[read]").unwrap();
    assert!(config(before).is_err(), "neither reads nor tops up");
}

#[test]
fn capabilities_follow_from_the_templates() {
    let product = edited(swap("\"amount\":\"{{ amount }}\"", "\"sku\":\"{{ product }}\"")).unwrap();
    assert!(product.declares().wants_product);
    let limits =
        edited(swap("timeout = \"10s\"", "concurrency = 7\nrate = \"50/s\"")).unwrap().declares();
    assert_eq!((limits.concurrency, limits.rate.map(|rate| rate.events)), (7, Some(50)));
    assert_eq!(limits.timeout, Span::seconds(30), "polls have 30 s unless they are given less");
}

#[test]
fn what_a_payer_sells_is_rising_and_of_one_currency() {
    let declared = |keys: &str| {
        edited(|text| text.replace("[declares]", &format!("[declares]\n{keys}")))
            .map(|config| config.declares().offer)
    };
    let offer = declared("denominations = [\"10.00 USD\", \"25.00 USD\"]").unwrap();
    assert_eq!(offer.denominations.len(), 2);
    let bounds = declared("order_min = \"5.00 USD\"\norder_max = \"50.00 USD\"").unwrap();
    assert!(bounds.order_min.is_some() && bounds.order_max.is_some());
    for bad in [
        "denominations = [\"25.00 USD\", \"10.00 USD\"]",
        "denominations = [\"10.00 USD\", \"25.00 EUR\"]",
        "denominations = [\"ten\"]",
        "order_min = \"50.00 USD\"\norder_max = \"5.00 USD\"",
        "denominations = [\"10.00 USD\"]\norder_max = \"5.00 USD\"",
    ] {
        assert!(declared(bad).is_err(), "{bad}");
    }
}
