//! Entries that are wrong by themselves: exactly one line each, with place, value and what is
//! allowed.

use super::*;

const SCOPE: &str = "allowed is exactly one of { subscription = \"ID\" }, { subscriber = \"ID\" }, { tag = \"WORD\" }, { provider = \"NAME\" }, { all = true }";
const AMOUNT: &str = "allowed is exactly one of { fixed = \"10.00 USD\" }, { to_target = \"25.00 USD\" }, { cover_next_renewal = true }, { cover_days = 30 }";
const METRICS: &str = "allowed: balance, data_left, minutes_left, sms_left, days_to_service_end, days_to_number_loss, days_to_runout, renewals_affordable, burn_per_day, idle_days, reading_age";

/// Reads an entry of `head` and the lines `extra`, which has exactly the faults `expected`.
fn check(head: &str, extra: &str, expected: &[String]) {
    assert_eq!(faults(&format!("{head}{extra}")), expected, "{extra}");
}

#[test]
fn subscribers() {
    let head = "[[subscribers]]\nid = \"li\"\n";
    let place = "fleet.toml:3: subscribers[1] \"li\".";
    for (extra, fault) in [
        (
            "email = \"li at home\"",
            "email: found \"li at home\"; allowed is an address such as \"li@example.com\"",
        ),
        (
            "phone = \"2025550199\"",
            "phone: found \"2025550199\"; allowed is a phone number in E.164, such as \"+12025550123\"",
        ),
        ("locale = \"zh\"", "locale: found \"zh\"; allowed: en, zh-CN"),
        (
            "time_zone = \"Shanghai\"",
            "time_zone: found \"Shanghai\"; allowed is an IANA time zone such as \"America/New_York\"",
        ),
        (
            "quiet_hours = \"at night\"",
            "quiet_hours: found \"at night\"; allowed is a stretch of local time such as \"22:00-07:00\"",
        ),
        (
            "channels = [\"fax\"]",
            "channels: found a list of 1; there is no channel \"fax\"; allowed: mail, pager, sms",
        ),
        (
            "channels = [\"pager\", \"pager\"]",
            "channels: found a list of 2; allowed is each channel once; \"pager\" comes twice",
        ),
        (
            "nmae = \"Li\"",
            "nmae: found \"Li\"; unknown key; allowed here: addresses, channels, email, id, locale, name, phone, quiet_hours, time_zone",
        ),
    ] {
        check(head, extra, &[format!("{place}{fault}")]);
    }
    let mail = "fleet.toml:1: subscribers[1] \"li\".email: missing; channel \"mail\" needs an address such as \"li@example.com\"";
    check(head, "channels = [\"mail\"]", &[mail.to_owned()]);
}

#[test]
fn ids() {
    let allowed =
        "allowed are 1 to 64 of the characters a-z A-Z 0-9 . _ - (first a letter or digit)";
    let bad = format!("fleet.toml:2: subscribers[1].id: found \"li wei\"; {allowed}");
    check("[[subscribers]]\n", "id = \"li wei\"", &[bad]);
    let none = "fleet.toml:1: subscribers[1].id: missing; allowed is an id of your choice, such as \"li-tmobile\"";
    check("[[subscribers]]\n", "name = \"Li\"", &[none.to_owned()]);
    let table = "fleet.toml:1: rules: found 3; allowed is a list of tables, written [[rules]]";
    check("", "rules = 3", &[table.to_owned()]);
    let unknown = "fleet.toml:1: subscriber: found a list of 1; unknown key; allowed here: rules, subscribers, subscriptions";
    check("", "[[subscriber]]\nid = \"li\"", &[unknown.to_owned()]);
}

#[test]
fn subscriptions() {
    let head = "[[subscribers]]\nid = \"li\"\n[[subscriptions]]\nid = \"l1\"\nsubscriber = \"li\"\nreader = \"meter\"\n";
    let place = "fleet.toml:7: subscriptions[1] \"l1\".";
    for (extra, fault) in [
        (
            "msisdn = \"+1202555\"",
            "msisdn: found \"+1202555\"; allowed is a phone number in E.164, such as \"+12025550123\"",
        ),
        (
            "iccid = \"8901260852290847430\"",
            "iccid: found \"8901260852290847430\"; allowed are the 18 to 22 digits of an ICCID whose last digit is its Luhn check digit",
        ),
        (
            "tags = [\"a b\"]",
            "tags: found a list of 1; allowed are words without blanks and `;`, not \"a b\"",
        ),
        (
            "plan = { price = \"0 USD\" }",
            "plan.price: found \"0 USD\"; allowed is an amount above zero",
        ),
        (
            "plan = { price = \"15\" }",
            "plan.price: found \"15\"; `15` is not an amount of money (write for example \"10.00 USD\")",
        ),
        (
            "plan = { price = \"15.00 DOL\" }",
            "plan.price: found \"15.00 DOL\"; unknown currency `DOL` (an ISO 4217 code such as USD is allowed)",
        ),
        (
            "plan = { cycle_days = 0 }",
            "plan.cycle_days: found 0; allowed is a whole number from 1 to 3660",
        ),
        (
            "plan = { number_loss_days = 3661 }",
            "plan.number_loss_days: found 3661; allowed is a whole number from 0 to 3660",
        ),
        (
            "plan = { renewal = \"yearly\" }",
            "plan.renewal: found \"yearly\"; allowed: fund_balance, extend_from_expiry, restart_from_payment, queue, unknown",
        ),
        (
            "plan = { prize = \"1 USD\" }",
            "plan.prize: found \"1 USD\"; unknown key; allowed here: charge_window, cycle_days, number_loss_days, price, renewal",
        ),
        ("plan = \"basic\"", "plan: found \"basic\"; allowed is a table"),
    ] {
        check(head, extra, &[format!("{place}{fault}")]);
    }
}

#[test]
fn conditions() {
    let head = "[[rules]]\nid = \"r\"\napplies_to = { all = true }\n";
    let place = "fleet.toml:4: rules[1] \"r\".";
    let both = "allowed is exactly one of `at_most` and `at_least`";
    for (any, fault) in [
        ("{ metric = \"mood\", at_most = 1 }", format!("any[1].metric: found \"mood\"; {METRICS}")),
        ("{ at_most = 1 }", format!("any[1].metric: missing; {METRICS}")),
        ("{ metric = \"balance\" }", format!("any[1].at_most: missing; {both}")),
        ("{ metric = \"sms_left\", at_most = 1, at_least = 2 }", format!("any[1].at_least: found 2; {both}")),
        ("{ metric = \"balance\", at_most = 5 }", "any[1].at_most: found 5; allowed is an amount such as \"5.00 USD\"".into()),
        ("{ metric = \"data_left\", at_most = \"5 USD\" }", "any[1].at_most: found \"5 USD\"; allowed is an amount of data such as \"500 MB\"".into()),
        ("{ metric = \"minutes_left\", at_most = \"5m\" }", "any[1].at_most: found \"5m\"; allowed is a whole number from 0".into()),
        ("{ metric = \"days_to_service_end\", at_most = -1 }", "any[1].at_most: found -1; allowed is a whole number of days from 0".into()),
        ("{ metric = \"reading_age\", at_least = 12 }", "any[1].at_least: found 12; allowed is a span such as \"12h\"".into()),
        ("{ metric = \"balance\", at_most = \"5 USD\", clear_at = \"5 USD\" }", "any[1].clear_at: found \"5 USD\"; allowed is a level above the threshold 5.00 USD, in the same unit".into()),
        ("{ metric = \"balance\", at_most = \"5 USD\", clear_at = \"9 EUR\" }", "any[1].clear_at: found \"9 EUR\"; allowed is a level above the threshold 5.00 USD, in the same unit".into()),
        ("{ metric = \"sms_left\", at_least = 0 }", "any[1].at_least: found 0; allowed is a level below the threshold 0, in the same unit".into()),
        ("{ metric = \"sms_left\", at_most = 1, below = 2 }", "any[1].below: found 2; unknown key; allowed here: at_least, at_most, clear_at, metric".into()),
        ("3", "any: found 3; allowed is a list of tables".into()),
        ("", "any: found a list of 0; allowed is at least one condition in `any` or `all`".into()),
    ] {
        check(head, &format!("any = [{any}]"), &[format!("{place}{fault}")]);
    }
    let clear = "clear_at = 9\nany = [{ metric = \"balance\", at_most = \"5 USD\" }]";
    check(
        head,
        clear,
        &[format!(
            "{place}clear_at: found 9; allowed is a level in the unit of a condition that has no `clear_at`"
        )],
    );
    let low = "any = [{ metric = \"sms_left\", at_most = 5 }]\nclear_at = 4";
    check(
        head,
        low,
        &[format!(
            "{place}any[1].at_most: found 5; allowed is a level above the threshold 5, in the same unit; the rule's `clear_at` is \"4\""
        )],
    );
}

#[test]
fn scopes_and_lists() {
    let any = "any = [{ metric = \"sms_left\", at_most = 5 }]\n";
    for (scope, fault) in [
        ("\n", format!("1: rules[1] \"r\".applies_to: missing; {SCOPE}")),
        (
            "applies_to = {}",
            format!("3: rules[1] \"r\".applies_to: found a table with nothing; {SCOPE}"),
        ),
        (
            "applies_to = { tag = \"a\", all = true }",
            format!("3: rules[1] \"r\".applies_to: found a table with all, tag; {SCOPE}"),
        ),
        (
            "applies_to = { line = \"a\" }",
            format!("3: rules[1] \"r\".applies_to: found a table with line; {SCOPE}"),
        ),
        (
            "applies_to = { all = false }",
            "3: rules[1] \"r\".applies_to.all: found false; allowed is true".into(),
        ),
        (
            "applies_to = \"all\"",
            "3: rules[1] \"r\".applies_to: found \"all\"; allowed is a table".into(),
        ),
    ] {
        check(
            "[[rules]]\nid = \"r\"\n",
            &format!("{scope}\n{any}"),
            &[format!("fleet.toml:{fault}")],
        );
    }
    let head = "[[rules]]\nid = \"r\"\napplies_to = { all = true }\n";
    let none = "fleet.toml:1: rules[1] \"r\".any: missing; allowed is at least one condition in `any` or `all`";
    check(head, "", &[none.to_owned()]);
    let both = "fleet.toml:5: rules[1] \"r\".all: found a list of 1; allowed is either `any` or `all`, not both";
    check(head, &format!("{any}{}", any.replace("any", "all")), &[both.to_owned()]);
}

#[test]
fn amounts_and_limits() {
    let head = "[[rules]]\nid = \"r\"\napplies_to = { all = true }\nany = [{ metric = \"balance\", at_most = \"5 USD\" }]\n";
    let place = "fleet.toml:5: rules[1] \"r\".";
    for (extra, fault) in [
        ("mode = \"on\"", "mode: found \"on\"; allowed: observe, notify, approve, auto".to_owned()),
        ("amount = { fixed = \"0 USD\" }", "amount.fixed: found \"0 USD\"; allowed is an amount above zero".into()),
        ("amount = {}", format!("amount: found a table with nothing; {AMOUNT}")),
        ("amount = { fixed = \"1 USD\", to_target = \"9 USD\" }", format!("amount: found a table with fixed, to_target; {AMOUNT}")),
        ("amount = { cover_days = 0 }", "amount.cover_days: found 0; allowed is a whole number from 1 to 3660".to_owned()),
        ("amount = { cover_next_renewal = false }", "amount.cover_next_renewal: found false; allowed is true".into()),
        ("amount = { fixed = \"1 USD\", margin = \"5%\" }", "amount.margin: found \"5%\"; allowed only with `cover_next_renewal`".into()),
        ("amount = { cover_next_renewal = true, margin = 5 }", "amount.margin: found 5; allowed is a percentage such as \"10%\"".into()),
        ("amount = { to_target = \"5.50 USD\" }", "amount: found a table with to_target; allowed is a target of at least the clear level 6.00 USD, or the rule never clears".into()),
        ("caps = { order = \"-1 USD\" }", "caps.order: found \"-1 USD\"; allowed is an amount above zero".into()),
        ("caps = { global_24h = \"1 USD\" }", "caps.global_24h: found \"1 USD\"; unknown key; allowed here: order, orders_24h, orders_30d, subscriber_30d, subscription_24h, subscription_30d".into()),
        ("priority = \"high\"", "priority: found \"high\"; allowed is a whole number from -1000000 to 1000000".into()),
        ("approve_first = \"maybe\"", "approve_first: found \"maybe\"; allowed: true, false".into()),
        ("cooldown_attempt = \"0s\"", "cooldown_attempt: found \"0s\"; allowed is a span above zero, such as \"30s\", \"5m\", \"6h\"".into()),
    ] {
        check(head, extra, &[format!("{place}{fault}")]);
    }
    let unpaid = "fleet.toml:1: rules[1] \"r\".amount: missing; mode \"auto\" needs an amount such as { fixed = \"10.00 USD\" }";
    check(head, "mode = \"auto\"", &[unpaid.to_owned()]);
    let tight = "amount = { fixed = \"10 USD\" }\ncaps = { order = \"5 USD\" }";
    let capped = "fleet.toml:6: rules[1] \"r\".caps: found a table with order; allowed is the cap `order` of at least one order, 10.00 USD; 5.00 USD can never be met";
    check(head, tight, &[capped.to_owned()]);
}

#[test]
fn all_faults_of_all_files_come_at_once_in_their_order() {
    let files = [
        (
            "b.toml",
            "[[subscribers]]\nid = \"li\"\nlocale = \"xx\"\nage = 9\n[[rules]]\nid = \"r\"\nmode = \"on\"\n",
        ),
        ("a.toml", "[[subscriptions]]\nid = \"l\"\nsubscriber = \"no\"\nreader = \"no\"\n"),
        ("c.toml", "id = "),
        ("gone.toml", ""),
    ];
    let found = read_in(&files[..3], &context()).unwrap_err();
    let places: Vec<String> =
        found.iter().map(|fault| fault.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        places,
        [
            "b.toml:3 subscribers[1] \"li\".locale",
            "b.toml:4 subscribers[1] \"li\".age",
            "b.toml:5 rules[1] \"r\".applies_to",
            "b.toml:5 rules[1] \"r\".any",
            "b.toml:7 rules[1] \"r\".mode",
            "a.toml:3 subscriptions[1] \"l\".subscriber",
            "a.toml:4 subscriptions[1] \"l\".reader",
            "c.toml:1 syntax",
        ]
    );
    let gone = Fleet::read(&["no/such.toml".into()], &context()).unwrap_err();
    assert_eq!(
        gone[0].to_string(),
        "no/such.toml: file: missing; allowed is a file that can be read"
    );
}
