//! The config, and codes in their places. What happens on a bus is tested with a real ModemManager.

use super::*;
use crate::input::{Intake, Origin, Section, from_toml};
use crate::providers::http::testing::{line, order};

fn config(text: &str) -> Result<Config, Vec<String>> {
    let table = from_toml("a.toml", text).unwrap();
    let intake = Intake::new();
    let section = Section::new(&table, "providers.m.modem", &Origin::file("a.toml"), &intake);
    let config = Config::read(section);
    let faults: Vec<String> = intake.into_faults().iter().map(ToString::to_string).collect();
    config.filter(|_| faults.is_empty()).ok_or(faults)
}

fn ussd(code: &str) -> Ask {
    Ask::Ussd(code.to_owned())
}

#[test]
fn what_is_asked_is_known_of_the_operator_or_written() {
    let asked = |text: &str, operator: Option<&str>| {
        config(text).unwrap().balance(operator).map(|(asking, _)| asking.ask)
    };
    assert_eq!(asked("operator = \"t-mobile-us\"", None), Ok(ussd("#999#")));
    assert_eq!(asked("", Some("T-Mobile US")), Ok(ussd("#999#")));
    assert_eq!(asked("operator = \"t-mobile-us\"", Some("Ultra Mobile")), Ok(ussd("#999#")));
    let sms = Ask::Sms { to: "6700".to_owned(), text: "BAL".to_owned() };
    let ultra = "balance = { sms = { to = \"6700\", text = \"BAL\" } }";
    assert_eq!(asked(ultra, Some("Ultra Mobile")), Ok(sms));
    let own = "balance = { ussd = \"*1#\" }\npattern = 'Left: <balance>'\ncurrency = \"USD\"";
    assert_eq!(asked(own, Some("nobody")), Ok(ussd("*1#")));
    assert!(asked("", None).is_err() && asked("", Some("nobody")).is_err());
    assert!(asked("balance = { ussd = \"*1#\" }", Some("nobody")).unwrap_err().contains("pattern"));
}

#[test]
fn it_redeems_only_where_the_words_of_success_and_refusal_are_written() {
    let plain = config("operator = \"t-mobile-us\"").unwrap();
    assert!(!plain.declares().redeems && !plain.declares().tops_up && plain.declares().reads);
    assert!(plain.redeem(None).is_err());
    let words = "redeem = { redeemed = \"added\", rejected = \"invalid\" }";
    let known = config(&format!(
        "operator = \"lycamobile-us\"\nbalance = {{ ussd = \"*1#\" }}\npattern = '<balance>'\ncurrency = \"USD\"\n{words}"
    ));
    let known = known.unwrap();
    assert!(known.declares().redeems);
    assert_eq!(known.redeem(None).unwrap().0.ask, ussd("*611*CODE#"));
    let faults = config("redeem = { ussd = \"*233*CODE#\", redeemed = \".*\" }").unwrap_err();
    assert!(faults.iter().any(|f| f.contains("redeem.redeemed")), "{faults:#?}");
    assert!(faults.iter().any(|f| f.contains("redeem.rejected")), "{faults:#?}");
}

#[test]
fn every_fault_is_reported() {
    let text = r##"
bus = "tcp:host=example.com,port=1"
timeout = "0s"
operator = "nobody"
currency = "USD"
balance = { ussd = "999", sms = { to = "6700" }, typo = 1 }
redeem = { ussd = "*233#", redeemed = "(", rejected = "no" }
[lines.12]
imei = "1"
[lines."+12025550123"]
"##;
    let found = config(text).unwrap_err();
    for key in [
        "bus",
        "timeout",
        "operator",
        "currency",
        "balance.ussd",
        "balance.sms",
        "balance.sms.text",
        "balance.typo",
        "redeem.ussd",
        "redeem.redeemed",
        "lines.12",
        "lines.12.imei",
        "lines.+12025550123.imei",
    ] {
        let wanted = format!("modem.{key}");
        assert!(found.iter().any(|f| f.contains(&wanted)), "{key}: {found:#?}");
    }
    for (text, key) in [
        ("balance = {}", "balance.ussd"),
        ("balance = { sms = { to = \"1\", text = \"B\" }, respond = [\"1\"] }", "balance.respond"),
        ("pattern = '<balance>'", "currency"),
        ("pattern = 'no hole'\ncurrency = \"USD\"", "pattern"),
        ("operator = \"verizon-prepaid\"", "balance"),
        (
            "redeem = { sms = { to = \"1\", text = \"PIN\" }, redeemed = \"a\", rejected = \"b\" }",
            "redeem.sms.text",
        ),
    ] {
        let found = config(text).unwrap_err();
        assert!(found.iter().any(|f| f.contains(&format!("modem.{key}"))), "{text}: {found:#?}");
    }
}

#[test]
fn a_code_is_digits_in_its_place_and_nothing_else() {
    let asking = |ask| Asking { ask, respond: Vec::new(), from: Vec::new() };
    let dial = asking(ussd("*233*CODE#"));
    let text = asking(Ask::Sms { to: "611".to_owned(), text: "PIN CODE".to_owned() });
    let asked = |asking: &Asking, code: &str| with_code(asking, code).map(|asking| asking.ask);
    assert_eq!(asked(&dial, "1234-5678 9012"), Some(ussd("*233*123456789012#")));
    let sms = Ask::Sms { to: "611".to_owned(), text: "PIN AB12CD".to_owned() };
    assert_eq!(asked(&text, "AB12-CD"), Some(sms));
    let long = "1".repeat(41);
    for bad in ["", "123", "12*34#5", "12345678#", "AB12CD", "12345678\n", &long] {
        assert_eq!(asked(&dial, bad), None, "{bad}");
    }
    for bad in ["", "ünter", "1234;5678"] {
        assert_eq!(asked(&text, bad), None, "{bad}");
    }
}

#[test]
fn a_code_is_never_kept() {
    let pin = Pin { code: "1234-5678-9012".to_owned(), ..Pin::default() };
    for text in ["Code 123456789012 is used", "Code 1234-5678-9012 is used"] {
        assert_eq!(Modem::kept(text, &pin), "Code <secret> is used");
    }
}

#[tokio::test]
async fn it_is_no_shop_and_without_a_bus_nothing_is_done() {
    let text = "bus = \"unix:path=/nonexistent/bus\"\noperator = \"t-mobile-us\"\n\
                redeem = { ussd = \"*233*CODE#\", redeemed = \"added\", rejected = \"invalid\" }";
    let modem = config(text).unwrap().build("m").await.unwrap();
    assert!(modem.freeze(&order()).is_err());
    assert!(matches!(modem.topup(&order(), "").await, Answer::NotSent { .. }));
    assert!(matches!(modem.find(&order()).await, Found::Blind { .. }));
    let away = modem.read(&line()).await.unwrap_err();
    assert_eq!(away.quality, Quality::Error(ErrorKind::Configuration), "{away}");
    let iccid = crate::domain::Iccid::parse("8901260852290847433").ok();
    let line = Subscription { iccid, ..line() };
    let away = modem.read(&line).await.unwrap_err();
    assert_eq!(away.quality, Quality::Error(ErrorKind::Temporary), "{away}");
    assert!(modem.test().await.is_err());
    let pin = Pin { code: "123456789012".to_owned(), ..Pin::default() };
    assert!(matches!(modem.redeem(&line, &pin).await, Answer::NotSent { .. }));
    let bad = Pin { code: "12*34#".to_owned(), ..Pin::default() };
    assert!(matches!(modem.redeem(&line, &bad).await, Answer::NotSent { .. }));
}
