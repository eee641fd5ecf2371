//! The provider and the channel `modem` against a real ModemManager with simulated modems.

mod bus;
mod channel;
mod pdu;
mod scene;
mod simulator;

use super::support::money;
use bus::wait_for;
use scene::{BALANCE, CODE, Scene, pin};
use simulator::Does;
use topupd::{
    domain::{ErrorKind, FailureClass, Iccid, Msisdn, Quality, Subscription},
    providers::Answer,
};

/// Once so, then well. A code that the modem does not take is spelled otherwise by ModemManager, and
/// given to it a second time.
fn then_well(does: &Does) -> Vec<Does> {
    let times = if matches!(does, Does::Fails) { 2 } else { 1 };
    let mut all = vec![does.clone(); times];
    all.push(Does::Says(0, BALANCE));
    all
}

/// A menu that says the balance before it asks.
const MENU: &str = "1 Balance\n2 Refill\n0 Exit";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_is_dialled_and_mmcli_hears_the_same() {
    let Some(scene) = Scene::start("operator = \"t-mobile-us\"", true).await else { return };
    scene.modem.on("#999#", &[Does::Says(0, BALANCE)]);
    // The modem was off.
    assert!(scene.bus.mmcli(&["-m", "any"]).contains("disabled"));
    let read = scene.provider.read(&scene.line).await.unwrap();
    assert_eq!(read.quality, Quality::Ok);
    assert_eq!(read.values.balance, Some(money("3.20 USD")));
    assert_eq!(read.values.next_charge, Some(money("15.00 USD")));
    let witness = scene.bus.mmcli(&["-m", "any", "--3gpp-ussd-initiate=#999#"]);
    assert!(witness.contains(BALANCE), "{witness}");
    assert!(scene.bus.mmcli(&["-m", "any", "--3gpp-ussd-status"]).contains("idle"));
    assert_eq!(scene.modem.seen(), ["#999#", "#999#"]);
    let report = scene.provider.test().await.unwrap().detail;
    assert!(report.contains("Simulated SIM-1 (IMEI ..3319"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_network_does_is_no_balance_of_zero_and_the_modem_is_free_again() {
    let config = "operator = \"t-mobile-us\"\ntimeout = \"3s\"";
    let Some(scene) = Scene::start(config, true).await else { return };
    let temporary = Quality::Error(ErrorKind::Temporary);
    for (does, quality, words) in [
        (Does::Says(0, "Service unavailable"), Quality::Unparseable, "Service unavailable"),
        (Does::Says(0, "Balance $0.00"), Quality::Unparseable, "no balance"),
        (Does::Says(1, MENU), Quality::Unparseable, "1 Balance"),
        (Does::Says(2, BALANCE), temporary, "terminated by network"),
        (Does::Bare(2), temporary, "terminated by network"),
        (Does::Bare(3), temporary, "Unhandled USSD reply"),
        (Does::Bare(4), Quality::Error(ErrorKind::Unsupported), "NotSupported"),
        (Does::Bare(5), temporary, "Unhandled USSD reply"),
        (Does::Fails, temporary, "Sending USSD command failed"),
        (Does::Nothing, temporary, "no answer within 3s"),
    ] {
        scene.modem.on("#999#", &then_well(&does));
        let error = scene.provider.read(&scene.line).await.unwrap_err();
        assert_eq!(error.quality, quality, "{does:?}: {error}");
        assert!(error.detail.contains(words), "{does:?}: {error}");
        let read = scene.provider.read(&scene.line).await;
        let balance = read.unwrap_or_else(|error| panic!("after {does:?}: {error}")).values.balance;
        assert_eq!(balance, Some(money("3.20 USD")), "{does:?}");
    }
    // UCS-2 that the network wrote as letters.
    scene.modem.on("#999#", &[Does::Leaks(BALANCE)]);
    let read = scene.provider.read(&scene.line).await.unwrap();
    assert_eq!(read.values.balance, Some(money("3.20 USD")));
    // What a crash or another program left open is ended first.
    scene.modem.on("*100#", &[Does::Says(1, MENU)]);
    scene.bus.mmcli(&["-m", "any", "--3gpp-ussd-initiate=*100#"]);
    assert!(scene.bus.mmcli(&["-m", "any", "--3gpp-ussd-status"]).contains("user-response"));
    assert!(scene.provider.read(&scene.line).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn menus_are_answered_as_written() {
    let config = "balance = { ussd = \"*100#\", respond = [\"1\", \"2\"] }\n\
                  operator = \"t-mobile-us\"";
    let Some(scene) = Scene::start(config, true).await else { return };
    scene.modem.on("*100#", &[Does::Says(1, MENU)]);
    scene.modem.on("1", &[Does::Says(1, "1 Bonus\n2 Account")]);
    scene.modem.on("2", &[Does::Says(0, BALANCE)]);
    let read = scene.provider.read(&scene.line).await.unwrap();
    assert_eq!(read.values.balance, Some(money("3.20 USD")));
    assert_eq!(scene.modem.seen(), ["*100#", "1", "2"]);
    // The network says it at once, and waits for more: heard, and hung up.
    scene.modem.on("1", &[Does::Says(1, BALANCE)]);
    scene.modem.on("2", &[Does::Says(1, BALANCE)]);
    assert!(scene.provider.read(&scene.line).await.is_ok());
    assert!(scene.bus.mmcli(&["-m", "any", "--3gpp-ussd-status"]).contains("idle"));
    // It ends before everything was answered.
    scene.modem.on("*100#", &[Does::Says(0, BALANCE)]);
    assert!(scene.provider.read(&scene.line).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modem_has_one_question_at_a_time_and_is_found_by_its_sim() {
    let Some(mut scene) = Scene::start("operator = \"t-mobile-us\"", true).await else { return };
    scene.modem.on("#999#", &[Does::Says(0, BALANCE)]);
    let again = scene.again("operator = \"t-mobile-us\"").await;
    let (a, b, c) = tokio::join!(
        scene.provider.read(&scene.line),
        scene.provider.read(&scene.line),
        again.read(&scene.line)
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok(), "{a:?} {b:?} {c:?}");
    let quality = async |line: &Subscription, provider: &scene::Line| {
        provider.read(line).await.map(|_| ()).map_err(|error| error.quality)
    };
    let other = Iccid::parse("8944110069158231145").ok();
    let elsewhere = Subscription { iccid: other, ..scene.line.clone() };
    let away = Err(Quality::Error(ErrorKind::Temporary));
    assert_eq!(quality(&elsewhere, &scene.provider).await, away);
    let nameless = Subscription { iccid: None, ..scene.line.clone() };
    let fault = Err(Quality::Error(ErrorKind::Configuration));
    assert_eq!(quality(&nameless, &scene.provider).await, fault);
    // By the IMEI that `lines` says; and not with another SIM in it.
    let lines = "operator = \"t-mobile-us\"\n[lines.\"+12025550123\"]\nimei = \"353490069873319\"";
    let by_imei = scene.again(lines).await;
    let numbered = Subscription { msisdn: Msisdn::parse("+12025550123").ok(), ..nameless };
    assert_eq!(quality(&numbered, &by_imei).await, Ok(()));
    let swapped = Subscription { iccid: elsewhere.iccid, ..numbered };
    let identity = Err(Quality::Error(ErrorKind::Identity));
    assert_eq!(quality(&swapped, &by_imei).await, identity);
    // ModemManager dies: an error, and nothing worse.
    scene.bus.kill_manager();
    assert_eq!(quality(&scene.line, &scene.provider).await, away);
    assert!(matches!(scene.provider.redeem(&scene.line, &pin()).await, Answer::NotSent { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_proves_nothing_where_modem_manager_may_have_entered_the_code_twice() {
    let config = "operator = \"t-mobile-us\"\ntimeout = \"30s\"\n\
                  [redeem]\nussd = \"*233*CODE#\"\nredeemed = \"has been added\"\n\
                  rejected = \"not valid\"";
    let Some(scene) = Scene::start(config, true).await else { return };
    let asked = format!("*233*{CODE}#");
    // The modem is long silent, so ModemManager gives it the code again.
    scene.modem.on(&asked, &[Does::Mute, Does::Says(0, "This card is not valid.")]);
    let answer = scene.provider.redeem(&scene.line, &pin()).await;
    assert!(matches!(answer, Answer::Unclear { .. }), "{answer:?}");
    assert_eq!(scene.modem.seen(), [asked.clone(), asked]);
}

const TEXTED: &str = "balance = { sms = { to = \"6700\", text = \"BAL\" } }\ntimeout = \"4s\"\n\
                      pattern = 'Your balance is \\$<balance>\\. Good until <service_end>\\.'\n\
                      currency = \"USD\"\ndate = \"%m/%d/%Y\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_is_texted_and_only_its_answer_is_deleted() {
    let Some(scene) = Scene::start(TEXTED, false).await else { return };
    let parts: &[&str] = &["Your balance is $7.05. ", "Good until 12/24/2026."];
    // Somebody's post is there before, and comes in meanwhile.
    scene.modem.text("611", &["Your code is 123456"]);
    scene.modem.on("6700 BAL", &[Does::Texts("6700", parts)]);
    let read = scene.provider.read(&scene.line).await.unwrap();
    assert_eq!(read.values.balance, Some(money("7.05 USD")));
    assert!(read.values.service_end_at.is_some());
    wait_for("the end of the answer", async || scene.modem.stored() == 1).await;
    // An advert of the operator's is no answer, and stays.
    scene.modem.on("6700 BAL", &[Does::Texts("6700", &["Win $7.05!"])]);
    let error = scene.provider.read(&scene.line).await.unwrap_err();
    assert_eq!(error.quality, Quality::Unparseable, "{error}");
    assert_eq!(scene.modem.stored(), 2);
    // Another's words are not the operator's.
    scene.modem.on("6700 BAL", &[Does::Texts("67001", parts)]);
    let error = scene.provider.read(&scene.line).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Temporary), "{error}");
    assert_eq!(scene.modem.stored(), 4);
    // An answer that comes too late is not taken for the next one, and does not fill the SIM.
    scene.modem.text("6700", &["Your balance is $99.00. Good until 12/24/2026."]);
    scene.modem.on("6700 BAL", &[Does::Texts("6700", parts)]);
    wait_for("the late answer", async || scene.messages() == 4).await;
    let read = scene.provider.read(&scene.line).await.unwrap();
    assert_eq!(read.values.balance, Some(money("7.05 USD")));
    wait_for("the end of both", async || scene.modem.stored() == 4).await;
    // The network does not take the question.
    scene.modem.on("6700 BAL", &[Does::Fails]);
    let error = scene.provider.read(&scene.line).await.unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Temporary), "{error}");
    assert!(scene.modem.seen().iter().all(|asked| asked == "6700 BAL"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_entered_once_and_only_clear_words_settle_it() {
    let config = "operator = \"t-mobile-us\"\ntimeout = \"3s\"\n\
                  [redeem]\nussd = \"*233*CODE#\"\nredeemed = \"has been added\"\n\
                  rejected = \"not valid\"";
    let Some(scene) = Scene::start(config, true).await else { return };
    assert!(scene.provider.declares().redeems);
    let asked = format!("*233*{CODE}#");
    let mut entered = 0;
    for (does, expected) in [
        (Does::Says(0, "$10.00 has been added to your account."), "paid"),
        (Does::Says(0, "This card is not valid."), "refused"),
        (Does::Says(0, "Thank you. Please wait."), "unclear"),
        // Perhaps by this very code.
        (Does::Says(0, "This card was used already."), "unclear"),
        (Does::Says(0, "Not valid: nothing has been added."), "unclear"),
        (Does::Says(1, MENU), "unclear"),
        (Does::Says(2, "$10.00 has been added."), "unclear"),
        (Does::Bare(4), "unclear"),
        (Does::Fails, "unclear"),
        (Does::Nothing, "unclear"),
    ] {
        scene.modem.on(&asked, &then_well(&does));
        let answer = scene.provider.redeem(&scene.line, &pin()).await;
        let found = match &answer {
            Answer::Paid(_) => "paid",
            Answer::Refused(refusal) => {
                assert_eq!(refusal.class, FailureClass::DeclinedHard);
                "refused"
            }
            Answer::Unclear { .. } => "unclear",
            Answer::Pending(_)
            | Answer::Reversed(_)
            | Answer::Mismatch { .. }
            | Answer::NotSent { .. } => panic!("{does:?}: {answer:?}"),
        };
        assert_eq!(found, expected, "{does:?}: {answer:?}");
        assert!(!format!("{answer:?}").contains(CODE), "{answer:?}");
        entered += then_well(&does).len() - 1;
        let seen = scene.modem.seen().into_iter().filter(|code| *code == asked).count();
        assert_eq!(seen, entered, "{does:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_by_message_is_settled_by_a_fresh_answer_only() {
    let config = "operator = \"t-mobile-us\"\ntimeout = \"4s\"\n[redeem]\n\
                  sms = { to = \"611\", text = \"PIN CODE\" }\nredeemed = \"has been added\"\n\
                  rejected = \"not valid\"";
    let Some(scene) = Scene::start(config, false).await else { return };
    let asked = format!("611 PIN {CODE}");
    scene.modem.on(&asked, &[Does::Texts("611", &["$10.00 has been added."])]);
    let answer = scene.provider.redeem(&scene.line, &pin()).await;
    assert!(matches!(answer, Answer::Paid(_)), "{answer:?}");
    scene.modem.on(&asked, &[Does::Texts("611", &["Card not valid"])]);
    let answer = scene.provider.redeem(&scene.line, &pin()).await;
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    // About an earlier code; and nothing at all.
    for does in [Does::Stale("611", "$10.00 has been added."), Does::Nothing, Does::Fails] {
        scene.modem.on(&asked, std::slice::from_ref(&does));
        let answer = scene.provider.redeem(&scene.line, &pin()).await;
        assert!(matches!(answer, Answer::Unclear { .. }), "{does:?}: {answer:?}");
    }
    assert_eq!(scene.modem.seen().len(), 5);
}
