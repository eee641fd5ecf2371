//! The file, and every reply text that somebody really got.

use super::*;
use crate::domain::{Money, Timestamp};
use chrono_tz::America::{Los_Angeles, New_York};
use std::collections::BTreeMap;

fn read(operator: &str, text: &str) -> Option<Values> {
    find(operator).unwrap_or_else(|| panic!("{operator} is not known")).read(text, New_York)
}

fn balance(operator: &str, text: &str) -> Option<String> {
    read(operator, text).map(|values| values.balance.map(|m| m.to_string()).unwrap_or_default())
}

fn service_end(operator: &str, text: &str) -> String {
    read(operator, text).unwrap().service_end_at.unwrap().rfc3339()
}

#[test]
fn the_file_can_be_read_and_its_names_are_unique() {
    let operators = file::parse(FILE).unwrap();
    assert_eq!(operators.len(), all().len());
    assert!(operators.iter().filter(|operator| operator.country == "US").count() >= 15);
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for operator in &operators {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(operator.id.chars().all(is_word), "{}", operator.id);
        assert!(!operator.sources.is_empty(), "{} has no source", operator.id);
        for name in operator.names() {
            if let Some(other) = seen.insert(plain(name), &operator.id) {
                assert_eq!(other, operator.id, "{name}");
            }
        }
        for ask in operator.balance.iter().chain(&operator.redeem) {
            match ask {
                Ask::Ussd(code) => {
                    assert!(code.starts_with(['*', '#']) && code.ends_with('#'), "{code}");
                }
                Ask::Sms { to, text } => assert!(!to.is_empty() && !text.is_empty()),
            }
        }
        for ask in &operator.redeem {
            assert!(ask.to_string().contains("CODE"), "{}: {ask}", operator.id);
        }
    }
}

#[test]
fn faults_of_the_file_name_the_operator() {
    let row = "[[operators]]\nid = \"x\"\nname = \"X\"\ncountry = \"US\"\ncurrency = \"USD\"\nzone = \"line\"\nsources = []\n";
    assert_eq!(file::parse(row).unwrap().len(), 1);
    for (more, word) in [
        ("renewal = { is = \"sometimes\" }", "sometimes"),
        ("charge_window = { is = \"noon\" }", "noon"),
        ("day_ends = { is = \"late\" }", "x:"),
        ("balance = [{ ussd = \"*1#\", to = \"1\" }]", "balance"),
        ("replies = [{ pattern = 'Balance' }]", "holes"),
        ("replies = [{ pattern = 'Until <service_end>' }]", "date"),
        ("hobby = 1", "hobby"),
    ] {
        let why = file::parse(&format!("{row}{more}")).unwrap_err();
        assert!(why.contains(word), "{more}: {why}");
    }
}

#[test]
fn operators_are_found_by_any_of_their_names() {
    for name in ["t-mobile-us", "T-Mobile US", "tmobile", " T-MOBILE  usa "] {
        assert_eq!(find(name).unwrap().id, "t-mobile-us", "{name}");
    }
    assert_eq!(find("AT&T").unwrap().id, "att-prepaid");
    for nobody in ["", "   ", "mobile", "T-Mobile Polska"] {
        assert!(find(nobody).is_none(), "{nobody:?}");
    }
    let ultra = find("Ultra Mobile").unwrap();
    assert_eq!(ultra.balance, [Ask::Sms { to: "6700".to_owned(), text: "BAL".to_owned() }]);
    let lyca = find("lycamobile-us").unwrap();
    assert_eq!(lyca.redeem, [Ask::Ussd("*611*CODE#".to_owned())]);
    assert!(lyca.unverified.contains(&"redeem dial *611*CODE#".to_owned()), "{lyca:?}");
}

const T_MOBILE: &str = "Current plan active until 08/10/2022 and will renew for $12.34. Account \
                        Balance $56.78. Add money by dialing *233 or redeem a refill card.";

#[test]
fn the_first_amount_of_t_mobile_is_the_next_charge() {
    let values = read("T-Mobile US", T_MOBILE).unwrap();
    assert_eq!(values.next_charge, Money::parse("12.34 USD").ok());
    assert_eq!(values.balance, Money::parse("56.78 USD").ok());
    // The service ends at 23:59 of that day where the line is, and the month comes first.
    assert_eq!(values.service_end_at.map(Timestamp::rfc3339), Some("2022-08-11T03:59:00Z".into()));
    let west = find("T-Mobile US").unwrap().read(T_MOBILE, Los_Angeles).unwrap();
    assert_eq!(west.service_end_at.map(Timestamp::rfc3339), Some("2022-08-11T06:59:00Z".into()));
    let both = T_MOBILE.replace("12.34", "15.00").replace("56.78", "15.00");
    assert_eq!(balance("t-mobile-us", &both).as_deref(), Some("15.00 USD"));
    let wrapped = T_MOBILE.replace(' ', "\r\n").replace("plan", "plan\u{a0}");
    assert_eq!(balance("t-mobile-us", &wrapped).as_deref(), Some("56.78 USD"));
    let grouped = T_MOBILE.replace("56.78", "1,056.78").replace("12.34", "0");
    assert_eq!(balance("t-mobile-us", &grouped).as_deref(), Some("1056.78 USD"));
    assert_eq!(
        balance("t-mobile-us", &T_MOBILE.replace("$56.78", "$-3.20")).as_deref(),
        Some("-3.20 USD")
    );
}

#[test]
fn real_replies_of_the_world_are_read() {
    for (operator, text, expected) in [
        ("SpeakOut", "Your account balance is $20.00 and expires on Aug 28 2021.", "20.00 CAD"),
        ("Vodafone NZ", "Unused Credit: $33.59", "33.59 NZD"),
        ("Vodafone NZ", "Unused Credit: $33.59\nExpiry date: 25/03/2003", "33.59 NZD"),
        (
            "Plus",
            "Aktualny stan konta dla numeru 48123456789: 1,23 PLN. Konto wazne do dnia 01-01-2022 01:02:03.Doladuj PLUSem!",
            "1.23 PLN",
        ),
        (
            "nju",
            "Twoja oferta to nju na karte.\n1.Stan konta glownego: 11.00 zl. Srodki wazne bezterminowo.",
            "11.00 PLN",
        ),
        (
            "O2 CZ",
            "Dobry den, aktualni vyse Vaseho kreditu na cisle 12345678 je 300 Kc, z toho bonusovy kredit je 0 Kc. Platnost bezneho kreditu: 30. 1. 2024 18:18. Vase O2",
            "300.00 CZK",
        ),
        (
            "O2 UK",
            "O2: Your balance is £6.45. Text BALANCE free to 20202 to check your remaining tariff and Bolt On allowances.",
            "6.45 GBP",
        ),
        (
            "O2 UK",
            "O2: Your balance is £12.34. Text BALANCE free to 20202 to check your remaining tariff and Bolt On allowances.",
            "12.34 GBP",
        ),
        (
            "Telkomsel",
            "Pulsa Rp 1234 s.d. 01-01-2022 \n1 8GB,Rp30rb/30hr\n2 25GB,Rp50rb/30hr\n22 Info",
            "1234.00 IDR",
        ),
        ("Telkomsel", "Pulsa Rp 12.345 s.d. 01-01-2022", "12345.00 IDR"),
        (
            "Vodafone DE",
            "Aktuelles Guthaben: 5,12 EUR\nWähl bitte aus:\n1 Aufladen\n2 Guthaben & Verbrauch\n3  Tarife & Optionen\n4 Spracheinstellungen\n5 Vorteilsangebot",
            "5.12 EUR",
        ),
        (
            "Kaufland",
            "Dein Guthaben betraegt: 10,00 EUR Startguthaben, 20,00 EUR Kaufguthaben und 40,00 EUR Geschenkguthaben.",
            "70.00 EUR",
        ),
        (
            "Kaufland",
            "Dein Guthaben betraegt: 0,00 EUR Startguthaben, 0,00 EUR Kaufguthaben und 0,00 EUR Geschenkguthaben.",
            "0.00 EUR",
        ),
        (
            "Kaufland",
            "Dein Guthaben betraegt: 10,00 EUR Startguthaben und 20,00 EUR Kaufguthaben.",
            "30.00 EUR",
        ),
        ("Kaufland", "Dein Guthaben betraegt: 20,00 EUR Kaufguthaben.", "20.00 EUR"),
        ("Sunrise", "Ihr Guthaben beträgt CHF 12.34", "12.34 CHF"),
        ("Sunrise", "Ihr Guthaben beträgt CHF 12.34.", "12.34 CHF"),
        ("silent.link", "IMSI:123456789012345\n USD:5.87\n Num#:123456789012", "5.87 USD"),
    ] {
        assert_eq!(balance(operator, text).as_deref(), Some(expected), "{operator}: {text}");
    }
}

#[test]
fn dates_are_read_in_the_operator_s_order_and_zone() {
    for (operator, text, expected) in [
        // The day's start in New York, where the line is.
        (
            "SpeakOut",
            "Your account balance is $20.00 and expires on Aug 28 2021.",
            "2021-08-28T04:00:00Z",
        ),
        (
            "O2 CZ",
            "Dobry den, aktualni vyse Vaseho kreditu na cisle 12345678 je 300 Kc, z toho bonusovy kredit je 0 Kc. Platnost bezneho kreditu: 30. 1. 2024 18:18. Vase O2",
            "2024-01-30T17:18:00Z",
        ),
        (
            "Plus",
            "Aktualny stan konta dla numeru 48123456789: 1,23 PLN. Konto wazne do dnia 01-01-2022 01:02:03.Doladuj PLUSem!",
            "2022-01-01T00:02:03Z",
        ),
        // The third of March, not the month 25.
        ("Vodafone NZ", "Unused Credit: $33.59, Expiry date: 25/03/2003", "2003-03-24T12:00:00Z"),
        ("Telkomsel", "Pulsa Rp 1234 s.d. 02-01-2022", "2022-01-02T05:00:00Z"),
    ] {
        assert_eq!(service_end(operator, text), expected, "{operator}");
    }
}

#[test]
fn what_is_no_balance_is_never_zero() {
    let hex: String = T_MOBILE.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
    let long = format!("{T_MOBILE} {}", "more ".repeat(2000));
    let texts = [
        "",
        "   ",
        "foobar",
        "0",
        "5.12",
        "0.00 USD",
        "$0.00",
        "Account Balance $56.78.",
        "Your balance is currently not available. Please try again later.",
        "Service unavailable",
        "In this moment we cannot process your transaction, please call to 888 for more details.",
        "Tu solicitud no puede ser tramitada en este momento. Por favor vuelve a ingresar llamando al *888#",
        "Dieser Service steht auf Grund von Wartungsarbeiten leider erst ab 9 Uhr wieder zur Verfügung.",
        "Wir können Deine Anfrage derzeit leider nicht bearbeiten. Bitte versuche es später erneut oder unter 7. (8)",
        "1 Balance\n2 Refill\n3 Plans from $15.00\n0 Exit",
        "Get $5.00 off! Your friend's account balance is $20.00 and expires on Aug 28 2021.",
        "Win big: Current plan active until 08/10/2022 and will renew for $12.34. Account Balance $56.78.",
        "<html><body>Account Balance $56.78</body></html>",
        "005900600070",
        &hex,
        &long,
    ];
    for text in texts {
        for operator in all() {
            assert_eq!(operator.read(text, New_York), None, "{}: {text}", operator.id);
        }
    }
    for (from, to) in [
        ("$56.78", "€56.78"),
        ("$56.78", "56.78"),
        ("$56.78", "CA$56.78"),
        ("$56.78", "$"),
        ("$56.78", "$5x"),
        ("$56.78", "$56.789"),
        ("$56.78", "$56,78"),
        ("$56.78", "$1,05.78"),
        ("$56.78", "$56.78.90"),
        ("$12.34", "$-12.34"),
        ("$56.78", "$99999999999999999999999999999999.00"),
        ("08/10/2022", "13/10/2022"),
        ("08/10/2022", "02/30/2022"),
        ("08/10/2022", "2022-08-10"),
        ("08/10/2022", "08/10/22"),
        ("08/10/2022", "08/10/2565"),
        ("08/10/2022", "further notice"),
        ("Account Balance", "Their balance"),
    ] {
        let text = T_MOBILE.replace(from, to);
        assert_ne!(text, T_MOBILE);
        assert_eq!(read("t-mobile-us", &text), None, "{text}");
    }
    // Another operator's reply is no reply of this one.
    assert_eq!(read("SpeakOut", T_MOBILE), None);
}

#[test]
fn every_hole_is_read() {
    let usd = Currency::parse("USD").unwrap();
    let pattern = "<data_left> data, <minutes_left> min, <sms_left> texts, lost <number_loss>";
    let reply = Reply::new(pattern, usd, Some("%Y-%m-%d")).unwrap();
    let values =
        reply.read("1.5 GB data, 1,200 MIN, 30 texts,  lost 2026-12-24", chrono_tz::UTC).unwrap();
    assert_eq!(
        (values.data_left, values.minutes_left, values.sms_left),
        (Some(1_500_000_000), Some(1200), Some(30))
    );
    assert_eq!(values.number_loss_at.map(Timestamp::rfc3339), Some("2026-12-24T00:00:00Z".into()));
    assert_eq!(values.balance, None);
    for text in [
        "1.5 XB data, 1,200 min, 30 texts, lost 2026-12-24",
        "unlimited data, 1,200 min, 30 texts, lost 2026-12-24",
        "1.5 GB data, 1.5 min, 30 texts, lost 2026-12-24",
        "1.5 GB data, 1200 min, 3,0 texts, lost 2026-12-24",
    ] {
        assert_eq!(reply.read(text, chrono_tz::UTC), None, "{text}");
    }
    let comma = Reply::new("Left: <data_left>", usd, None).unwrap().with_decimal_comma(true);
    assert_eq!(
        comma.read("Left: 1.024,5 MB", chrono_tz::UTC).unwrap().data_left,
        Some(1_024_500_000)
    );
}

#[test]
fn patterns_that_cannot_be_used_are_refused() {
    let usd = Currency::parse("USD").unwrap();
    for (pattern, date) in [
        ("Balance", None),
        ("<balance", None),
        ("<weather>", None),
        ("<balance> <weather>", None),
        ("(?P<weather>x) <balance>", None),
        ("<balance> <balance>", None),
        ("(<balance>", None),
        ("<service_end>", None),
        ("<service_end>", Some("%d.%m")),
        ("<service_end>", Some("someday")),
        ("<service_end>", Some("%Q")),
    ] {
        assert!(Reply::new(pattern, usd, date).is_err(), "{pattern} {date:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(\\$|[0-9]|[.,/ ]|Current plan active until |Account Balance ){0,40}") {
        for operator in all() {
            let _values = operator.read(&text, New_York);
        }
    }
}

#[test]
fn a_brand_and_its_network_agree_and_two_networks_do_not() {
    for (ours, theirs, expected) in [
        ("T-Mobile US", "T-Mobile USA", Some(true)),
        ("T-Mobile US", "T-Mobile USA PIN", Some(true)),
        ("Tello", "T-Mobile USA", Some(true)),
        ("Tello", "Mint Mobile", Some(true)),
        ("T-Mobile US", "Verizon Wireless", Some(false)),
        ("Cricket", "Verizon USA", Some(false)),
        ("AT&T", "AT&T USA Bundles", Some(true)),
        // Whose networks it uses is not sure.
        ("US Mobile", "Verizon", None),
        ("T-Mobile US", "Some Telecom", None),
        ("Some Telecom", "Some Telecom USA", Some(true)),
        ("", "Verizon", None),
    ] {
        assert_eq!(agree(ours, theirs), expected, "{ours} {theirs}");
        assert_eq!(agree(theirs, ours), expected, "{theirs} {ours}");
    }
    for operator in all() {
        let network = operator.network.as_deref();
        assert!(network.is_none_or(|id| find(id).is_some_and(|o| o.id == id)), "{}", operator.id);
    }
}
