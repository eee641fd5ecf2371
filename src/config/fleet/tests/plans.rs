//! What would change, for people and for machines.

use super::*;
use serde_json::json;

fn stored(fleet: &Fleet) -> StoredFleet {
    let text = |document: serde_json::Value| document.to_string();
    let subscribers = fleet.subscribers.iter().map(|s| (s.id.to_string(), text(s.to_document())));
    let lines = fleet.subscriptions.iter().map(|s| (s.id.to_string(), text(s.to_document())));
    let rules = fleet.rules.iter().map(|r| (r.id.to_string(), text(r.to_document())));
    StoredFleet::parse(&subscribers.collect(), &lines.collect(), &rules.collect()).unwrap()
}

#[test]
fn everything_is_new_at_first_and_nothing_the_second_time() {
    let fleet = read(SAMPLE).unwrap();
    let first = fleet.plan(&StoredFleet::default(), true);
    assert_eq!(
        first.to_string(),
        "+ subscriber li  \"Li Wei\"\n+ subscription li-tmobile  \"Bank number\"\n+ rule keep-alive\n0 unchanged"
    );
    assert_eq!(
        serde_json::to_value(&first).unwrap(),
        json!({
            "create": [
                { "kind": "subscriber", "id": "li" },
                { "kind": "subscription", "id": "li-tmobile" },
                { "kind": "rule", "id": "keep-alive" },
            ],
            "update": [], "delete": [], "unchanged": 0,
        })
    );
    let second = fleet.plan(&stored(&fleet), true);
    assert!(second.is_empty() && !first.is_empty());
    assert_eq!(second.to_string(), "3 unchanged");
}

#[test]
fn each_changed_field_is_shown() {
    let before = stored(&read(SAMPLE).unwrap());
    let after = SAMPLE
        .replace("mode = \"auto\"", "mode = \"notify\"\npriority = 5")
        .replace("approve_first = false\n", "approve_above = \"9 USD\"\n")
        .replace("operator = \"T-Mobile US\"\n", "")
        .replace("cycle_days = 30, ", "");
    let plan = read(&after).unwrap().plan(&before, false);
    assert_eq!(
        plan.to_string(),
        "~ subscription li-tmobile  operator: T-Mobile US → nothing, \
         plan: {\"cycle_days\":30,\"number_loss_days\":60,\"price\":\"15.00 USD\",\"renewal\":\"fund_balance\"} → \
         {\"number_loss_days\":60,\"price\":\"15.00 USD\",\"renewal\":\"fund_balance\"}\n\
         ~ rule keep-alive  approve_above: nothing → 9.00 USD, approve_first: false → true, mode: auto → notify, priority: 0 → 5\n\
         1 unchanged"
    );
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["update"][1]["changes"]["mode"], json!({ "from": "auto", "to": "notify" }));
    assert_eq!(json["update"][0]["changes"]["operator"]["to"], json!(null));
    assert_eq!(json["update"][0]["kind"], "subscription");
    assert_eq!(json["unchanged"], 1);
}

#[test]
fn only_pruning_deletes() {
    let before = stored(&read(SAMPLE).unwrap());
    let people = SAMPLE.split("[[subscriptions]]").next().unwrap();
    let fleet = read(people).unwrap();
    assert!(fleet.plan(&before, false).is_empty());
    let plan = fleet.plan(&before, true);
    assert_eq!(
        plan.to_string(),
        "- subscription li-tmobile  \"Bank number\"\n- rule keep-alive\n1 unchanged"
    );
    assert_eq!(
        serde_json::to_value(&plan).unwrap()["delete"],
        json!([{ "kind": "subscription", "id": "li-tmobile" }, { "kind": "rule", "id": "keep-alive" }])
    );
}

#[test]
fn stored_text_that_is_no_document_is_named() {
    let none = BTreeMap::new();
    let bad = BTreeMap::from([("keep".to_owned(), "{".to_owned())]);
    let error = StoredFleet::parse(&none, &none, &bad).unwrap_err();
    assert!(error.starts_with("the stored rule \"keep\" cannot be read: "), "{error}");
}
