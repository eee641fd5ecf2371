//! What entries say of each other, of providers, and of what was applied before.

use super::*;

/// Two subscribers; then `extra`, whose first line is line 5.
fn with_people(extra: &str) -> String {
    format!("[[subscribers]]\nid = \"li\"\n[[subscribers]]\nid = \"mo\"\n{extra}")
}

fn line(id: &str, rest: &str) -> String {
    format!("[[subscriptions]]\nid = \"{id}\"\nsubscriber = \"li\"\n{rest}\n")
}

fn paying(scope: &str) -> String {
    format!(
        "[[rules]]\nid = \"pay\"\napplies_to = {{ {scope} }}\nmode = \"auto\"\n\
         any = [{{ metric = \"balance\", at_most = \"5 USD\" }}]\namount = {{ cover_next_renewal = true }}\n"
    )
}

/// The fleet that was applied before: the sample.
fn after_sample() -> FleetContext {
    let fleet = read(SAMPLE).unwrap();
    let mut context = context();
    let subscribers = fleet.subscribers.iter().map(|s| (s.id.to_string(), s.to_document()));
    let subscriptions = fleet.subscriptions.iter().map(|s| (s.id.to_string(), s.to_document()));
    let rules = fleet.rules.iter().map(|r| (r.id.to_string(), r.to_document()));
    context.stored = StoredFleet {
        subscribers: subscribers.collect(),
        subscriptions: subscriptions.collect(),
        rules: rules.collect(),
    };
    context
}

#[test]
fn an_id_is_used_once_in_all_files() {
    let files = [
        ("a.toml", "[[subscribers]]\nid = \"li\"\n"),
        ("b.toml", "[[subscribers]]\nid = \"mo\"\n[[subscribers]]\nid = \"li\"\n"),
    ];
    assert_eq!(
        read_in(&files, &context()).unwrap_err(),
        [
            "b.toml:4: subscribers[2] \"li\".id: found \"li\"; allowed is each id once; it is in a.toml:1, too"
        ]
    );
}

#[test]
fn providers_must_be_able_to_do_it() {
    let number = "msisdn = \"+12025550123\"";
    for (rest, expected) in [
        (
            "reader = \"acme\"".to_owned(),
            "8: subscriptions[1] \"l\".reader: found \"acme\"; allowed are providers that read: carrier, meter",
        ),
        (
            "reader = \"shop\"".to_owned(),
            "8: subscriptions[1] \"l\".reader: found \"shop\"; allowed are providers that read: carrier, meter",
        ),
        (
            "".to_owned(),
            "5: subscriptions[1] \"l\".reader: missing; allowed is the name of a provider that reads",
        ),
        (
            format!("reader = \"meter\"\n{number}\npayers = [\"meter\"]"),
            "10: subscriptions[1] \"l\".payers: found a list of 1; \"meter\" is not allowed; providers that top up: carrier, shop",
        ),
        (
            format!("reader = \"meter\"\n{number}\npayers = [\"carrier\", \"carrier\"]"),
            "10: subscriptions[1] \"l\".payers: found a list of 2; allowed is each word once; \"carrier\" comes twice",
        ),
        (
            format!("reader = \"meter\"\n{number}\npayers = [\"shop\"]"),
            "5: subscriptions[1] \"l\".products: missing; payer \"shop\" needs a product, such as products = { shop = \"PRODUCT\" }",
        ),
        (
            "reader = \"meter\"\nproducts = { shop = \"P\" }".to_owned(),
            "9: subscriptions[1] \"l\".products: found a table with shop; \"shop\" is not among the payers of this subscription",
        ),
        (
            "reader = \"carrier\"\npayers = [\"carrier\"]".to_owned(),
            "5: subscriptions[1] \"l\".msisdn: missing; a subscription with payers needs `msisdn` or `iccid`",
        ),
    ] {
        assert_eq!(faults(&with_people(&line("l", &rest))), [format!("fleet.toml:{expected}")]);
    }
    let sold =
        format!("reader = \"meter\"\n{number}\npayers = [\"shop\"]\nproducts = {{ shop = \"P\" }}");
    assert_eq!(read(&with_people(&line("l", &sold))).map(|f| f.subscriptions.len()), Ok(1));
}

#[test]
fn one_number_is_paid_for_under_one_id() {
    let pays = "reader = \"carrier\"\npayers = [\"carrier\"]\nmsisdn = \"+1 202 555 0123\"";
    let two = with_people(&(line("a", pays) + &line("b", pays)));
    let fault = "found \"+1 202 555 0123\"; subscription \"a\" pays for this line already; one of them may have payers";
    assert_eq!(faults(&two), [format!("fleet.toml:16: subscriptions[2] \"b\".msisdn: {fault}")]);
    let watched = with_people(&(line("a", pays) + &line("b", &pays.replace("payers", "tags"))));
    assert!(read(&watched).is_ok());
    let renamed = read_in(&[("f.toml", &line("renamed", pays))], &after_sample()).unwrap_err();
    assert_eq!(renamed.len(), 1);
    assert!(
        renamed[0].contains("subscription \"li-tmobile\" pays for this line already"),
        "{renamed:?}"
    );
}

#[test]
fn rules_are_for_something_that_is_there() {
    let rule = |scope: &str| {
        format!(
            "[[rules]]\nid = \"r\"\napplies_to = {{ {scope} }}\nany = [{{ metric = \"sms_left\", at_most = 1 }}]\n"
        )
    };
    let files = "allowed is one of these files or one applied before";
    for (scope, fault) in [
        ("subscription = \"x\"", format!("found a table with subscription; subscription \"x\" is unknown; {files}")),
        ("subscriber = \"x\"", format!("found a table with subscriber; subscriber \"x\" is unknown; {files}")),
        ("provider = \"x\"", "found a table with provider; provider \"x\" is unknown; allowed is one of the configuration".to_owned()),
    ] {
        assert_eq!(faults(&rule(scope)), [format!("fleet.toml:3: rules[1] \"r\".applies_to: {fault}")]);
    }
    for scope in [
        "subscription = \"li-tmobile\"",
        "subscriber = \"li\"",
        "tag = \"later\"",
        "provider = \"meter\"",
    ] {
        assert_eq!(
            read_in(&[("f.toml", &rule(scope))], &after_sample()).map(|f| f.rules.len()),
            Ok(1)
        );
    }
}

#[test]
fn a_paying_rule_needs_lines_it_can_pay_for() {
    let bare = line("bare", "reader = \"meter\"\ntags = [\"t\"]");
    let full =
        "reader = \"carrier\"\npayers = [\"carrier\"]\nmsisdn = \"+12025550123\"\ntags = [\"t\"]\n";
    let unpriced = line("unpriced", full);
    let priced = line("priced", &format!("{full}plan = {{ price = \"15 USD\" }}"));
    let found = faults(&with_people(&(bare.clone() + &unpriced + &paying("tag = \"t\""))));
    let place = "fleet.toml:20: rules[1] \"pay\".applies_to: found a table with tag; ";
    assert_eq!(
        found,
        [
            format!("{place}mode \"auto\" needs subscriptions with payers; without: \"bare\""),
            format!(
                "{place}`cover_next_renewal` needs subscriptions whose plan has a price; without: \"bare\", \"unpriced\""
            ),
        ]
    );
    assert!(read(&with_people(&(bare + &priced + &paying("subscription = \"priced\"")))).is_ok());
}

#[test]
fn lists_of_lines_are_cut() {
    let mut text = with_people("");
    for n in 1..=7 {
        text.push_str(&line(&format!("l{n}"), "reader = \"meter\"\nplan = { price = \"1 USD\" }"));
    }
    let found = faults(&(text + &paying("all = true")));
    assert!(
        found[0].ends_with("without: \"l1\", \"l2\", \"l3\", \"l4\", \"l5\" and 2 more"),
        "{found:?}"
    );
}

#[test]
fn two_rules_that_would_pay_for_one_need_are_refused() {
    let tie = "rules[1] \"pay\".priority: missing; allowed is another priority than that of rule \"keep-alive\": both would pay for subscription \"li-tmobile\"";
    let found = |rule: &str| read_in(&[("f.toml", rule)], &after_sample());
    for scope in ["all = true", "subscriber = \"li\"", "tag = \"us\"", "provider = \"carrier\""] {
        assert_eq!(found(&paying(scope)).unwrap_err(), [format!("f.toml:1: {tie}")], "{scope}");
    }
    let told = paying("all = true").replace("auto", "notify");
    assert_eq!(found(&told).map(|f| f.rules.len()), Ok(1));
}

#[test]
fn what_was_applied_before_counts() {
    let context = after_sample();
    let new = line("second", "reader = \"meter\"");
    assert_eq!(read_in(&[("f.toml", &new)], &context).map(|f| f.subscriptions.len()), Ok(1));
    let stranger = new.replace("\"li\"", "\"nobody\"");
    assert_eq!(
        read_in(&[("f.toml", &stranger)], &context).unwrap_err(),
        [
            "f.toml:3: subscriptions[1] \"second\".subscriber: found \"nobody\"; allowed is a subscriber of these files or one applied before"
        ]
    );
    // A stored rule pays for this line, which loses its payer.
    let silent = line("li-tmobile", "reader = \"meter\"");
    assert_eq!(
        read_in(&[("f.toml", &silent)], &context).unwrap_err(),
        [
            "f.toml:1: subscriptions[1] \"li-tmobile\".payers: missing; rule \"keep-alive\" pays for this subscription; allowed is at least one payer"
        ]
    );
    // A new rule meets the stored line, which has all it needs.
    let higher = paying("all = true") + "priority = 1\n";
    assert_eq!(read_in(&[("f.toml", &higher)], &context).map(|f| f.rules.len()), Ok(1));
}

#[test]
fn nobody_is_told_over_the_line_concerned_alone() {
    let text = |phone: &str, channels: &str| {
        SAMPLE
            .replace("phone = \"+12025550199\"", &format!("phone = {phone:?}"))
            .replace("channels = [\"mail\"]", &format!("channels = {channels}"))
    };
    let faults = |context: &FleetContext, text: &str| {
        read_in(&[("fleet.toml", text)], context).err().unwrap_or_default().join("\n")
    };
    let own = text("+12025550123", "[\"sms\"]");
    let found = faults(&context(), &own);
    assert!(
        found.contains("msisdn") && found.contains("told by SMS to this very number"),
        "{found}"
    );
    for fine in [
        text("+12025550123", "[\"sms\", \"mail\"]"),
        text("+12025550199", "[\"sms\"]"),
        text("+12025550123", "[\"mail\"]"),
    ] {
        assert_eq!(faults(&context(), &fine), "");
    }
    let watched = FleetContext { has_operators: true, ..context() };
    assert_eq!(faults(&watched, &own), "");
}
