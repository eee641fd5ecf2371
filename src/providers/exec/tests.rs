//! A small real program, and what follows from everything that it can do wrong.

use super::super::http::testing::{line, order};
use super::*;
use crate::domain::{FailureClass, Iccid, Quality};
use crate::input::{Intake, Origin, from_toml};
use std::path::Path;
use std::time::{Duration, Instant};

mod answers;

/// A carrier with its books in `$BOOKS`: `charges`, `requests`, and in `trouble` what goes wrong.
const CARRIER: &str = r#"
read -r request
printf '%s\n' "$request" >> "$BOOKS/requests"
field() { printf '%s' "$request" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
reference=$(field reference) number=$(field msisdn) trouble=$(cat "$BOOKS/trouble")
record() { printf '{"outcome":"%s","transaction_id":"tx-%s","reference":"%s","msisdn":"%s","amount":"10.00 USD"}' \
    "$1" "$reference" "$reference" "${2:-$number}"; }
charge() { echo "$reference $number" >> "$BOOKS/charges"; }
case "$(field verb) $trouble" in
"read ") printf '{"balance":"4.50 USD","msisdn":"%s"}' "$number" ;;
"topup lost_before") exit 3 ;;
"topup lost_after") charge; echo "it broke: $API_KEY" >&2; exit 3 ;;
"topup refused_and_failed") echo '{"outcome":"refused"}'; exit 1 ;;
"topup killed") charge; kill -9 $$ ;;
"topup page") echo '<html>down for maintenance</html>' ;;
"topup truncated") charge; record paid | head -c 40 ;;
"topup twice") charge; record paid; record paid ;;
"topup empty") charge ;;
"topup silent") charge; echo $$ > "$BOOKS/pids"; sleep 60 & echo $! >> "$BOOKS/pids"; wait ;;
"topup left_open") charge; record paid; sleep 60 & ;;
"topup endless") charge; record paid; yes ' ' ;;
"topup pending") charge; record pending ;;
"topup refused") printf '{"outcome":"refused","code":"low","class":"declined_soft"}' ;;
"topup other_target") charge; record paid +12025550199 ;;
"topup ") grep -q "^$reference" "$BOOKS/charges" || charge; record paid ;;
"find blind") exit 1 ;;
"find "*) if grep -q "^$reference" "$BOOKS/charges"; then printf '{"topups":[%s]}' "$(record paid)"
    else printf '{"topups":[]}'; fi ;;
"test ") printf '{"detail":"here, with %s"}' "$API_KEY" ;;
*) echo "no $(field verb) with $trouble" >&2; exit 64 ;;
esac
"#;

const BASE: &str = "secrets = { API_KEY = \"hush-hush\" }\n[declares]\nlookup = \"by_ref\"\nmax_processing = \"100ms\"\n";

fn read(text: &str) -> Result<Config, String> {
    let table = from_toml("a.toml", text).unwrap();
    let intake = Intake::new();
    let origin = Origin::file("a.toml");
    let config = Config::read(Section::new(&table, "providers.it.exec", &origin, &intake));
    let faults: Vec<String> = intake.into_faults().iter().map(ToString::to_string).collect();
    config.filter(|_| faults.is_empty()).ok_or(faults.join("\n"))
}

async fn provider(text: &str) -> Arc<dyn Provider> {
    read(text).unwrap().build("it").await.unwrap()
}

/// The carrier above and its books.
struct Scene {
    books: tempfile::TempDir,
    provider: Arc<dyn Provider>,
}

impl Scene {
    async fn new(trouble: &str) -> Self {
        let books = tempfile::tempdir().unwrap();
        let program = books.path().join("carrier.sh");
        std::fs::write(&program, CARRIER).unwrap();
        for name in ["charges", "requests", "trouble"] {
            std::fs::write(books.path().join(name), "").unwrap();
        }
        let (folder, program) = (books.path().display(), program.display());
        let text = format!(
            "command = [\"/bin/sh\", \"{program}\"]\nverbs = [\"read\", \"topup\", \"find\"]\n\
             timeout = \"3s\"\nenv = {{ BOOKS = \"{folder}\" }}\n{BASE}"
        );
        let scene = Self { provider: provider(&text).await, books };
        scene.trouble(trouble);
        scene
    }

    fn trouble(&self, trouble: &str) {
        std::fs::write(self.path("trouble"), trouble).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.books.path().join(name)
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn send(&self) -> Answer {
        let frozen = self.provider.freeze(&order()).unwrap();
        self.provider.topup(&order(), &frozen).await
    }
}

#[tokio::test]
async fn an_order_is_charged_once_and_found() {
    let scene = Scene::new("").await;
    assert_eq!(scene.provider.find(&order()).await, Found::Nothing);
    let answer = scene.send().await;
    let Answer::Paid(evidence) = &answer else { panic!("{answer:?}") };
    assert_eq!(evidence.transaction_id.as_deref(), Some("tx-abcdefghijklmnopqrstuvwx"));
    assert!(matches!(scene.send().await, Answer::Paid(_)), "a copy");
    assert_eq!(scene.lines("charges").len(), 1);
    let found = scene.provider.find(&order()).await;
    assert!(matches!(found, Found::One(Answer::Paid(_))), "{found:?}");
    // What was frozen is what arrives, byte for byte.
    let frozen = scene.provider.freeze(&order()).unwrap();
    assert_eq!(scene.lines("requests").iter().filter(|line| **line == frozen).count(), 2);
    let read = scene.provider.read(&line()).await.unwrap();
    assert_eq!(read.values.balance, Money::parse("4.50 USD").ok());
    assert_eq!(scene.provider.test().await.unwrap().detail, "here, with <secret>");
}

#[test]
fn the_frozen_request_names_line_and_reference_and_no_secret() {
    let exec = Exec(
        read(&format!("command = [\"/bin/true\"]\nverbs = [\"topup\", \"find\"]\n{BASE}")).unwrap(),
    );
    let frozen = exec.freeze(&order()).unwrap();
    assert_eq!(frozen, exec.freeze(&order()).unwrap());
    assert!(frozen.contains("+12025550123") && !frozen.contains("hush"), "{frozen}");
    let value: Value = serde_json::from_str(&frozen).unwrap();
    assert_eq!(
        value["order"],
        json!({ "reference": "abcdefghijklmnopqrstuvwx", "amount": "10.00", "currency": "USD", "product": null })
    );
    assert_eq!((&value["protocol"], &value["verb"]), (&json!(1), &json!("topup")));
    let nobody = Order { line: Subscription { msisdn: None, ..line() }, ..order() };
    assert!(exec.freeze(&nobody).is_err());
    let iccid = Iccid::parse("8901260882310000001").ok();
    if iccid.is_some() {
        let esim = Order { line: Subscription { msisdn: None, iccid, ..line() }, ..order() };
        assert!(exec.freeze(&esim).unwrap().contains("8901260882310000001"));
    }
    let nothing = Order { amount: Money::parse("0 USD").unwrap(), ..order() };
    assert!(exec.freeze(&nothing).is_err());
    let text = "command = [\"/bin/true\"]\nverbs = [\"topup\"]\nwants_product = true";
    let picky = Exec(read(text).unwrap());
    assert!(picky.freeze(&order()).is_err());
    assert!(
        picky.freeze(&Order { product: Some("P".into()), ..order() }).unwrap().contains("\"P\"")
    );
}

#[tokio::test]
async fn whatever_goes_wrong_is_unclear_and_looked_up() {
    for (trouble, is_charged) in [
        ("lost_before", false),
        ("lost_after", true),
        ("refused_and_failed", false),
        ("killed", true),
        ("page", false),
        ("truncated", true),
        ("twice", true),
        ("empty", true),
        ("endless", true),
        ("nobody knows", false),
    ] {
        let scene = Scene::new(trouble).await;
        let answer = scene.send().await;
        let Answer::Unclear { why, raw } = &answer else { panic!("{trouble}: {answer:?}") };
        assert!(!why.contains("hush") && !raw.contains("hush"), "{trouble}: {answer:?}");
        assert_eq!(scene.lines("charges").len(), usize::from(is_charged), "{trouble}");
        let found = scene.provider.find(&order()).await;
        match found {
            Found::One(Answer::Paid(_)) => assert!(is_charged, "{trouble}"),
            Found::Nothing => assert!(!is_charged, "{trouble}"),
            Found::One(_) | Found::Several { .. } | Found::Blind { .. } => panic!("{found:?}"),
        }
        scene.trouble("blind");
        assert!(matches!(scene.provider.find(&order()).await, Found::Blind { .. }));
    }
    let scene = Scene::new("lost_after").await;
    let Answer::Unclear { why, .. } = scene.send().await else { panic!() };
    assert!(why.contains("exit status: 3") && why.contains("it broke: <secret>"), "{why}");
}

#[tokio::test]
async fn answers_are_sorted_by_what_may_follow() {
    let scene = Scene::new("pending").await;
    assert!(matches!(scene.send().await, Answer::Pending(_)));
    let scene = Scene::new("refused").await;
    let Answer::Refused(refusal) = scene.send().await else { panic!() };
    assert_eq!((refusal.code.as_str(), refusal.class), ("low", FailureClass::DeclinedSoft));
    let scene = Scene::new("other_target").await;
    assert!(matches!(scene.send().await, Answer::Mismatch { .. }));
}

fn is_alive(pid: &str) -> bool {
    // A dead child of a dead parent is somebody else's to bury; it does nothing any more.
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

async fn all_die(pids: &[String]) {
    assert_eq!(pids.len(), 2);
    for _ in 0..100 {
        if !pids.iter().any(|pid| is_alive(pid)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{pids:?} still run");
}

#[tokio::test]
async fn at_the_time_limit_the_whole_group_is_killed() {
    let scene = Scene::new("silent").await;
    let began = Instant::now();
    let Answer::Unclear { why, .. } = scene.send().await else { panic!() };
    assert!(why.contains("within 3s"), "{why}");
    assert!(began.elapsed() < Duration::from_secs(20));
    all_die(&scene.lines("pids")).await;
    // Somebody holds the output open after the program's own end: it has not ended.
    let scene = Scene::new("left_open").await;
    assert!(matches!(scene.send().await, Answer::Unclear { .. }));
}

#[tokio::test]
async fn whoever_stops_waiting_leaves_nothing_running() {
    let scene = Scene::new("silent").await;
    let waited = tokio::time::timeout(Duration::from_secs(1), scene.send()).await;
    assert!(waited.is_err());
    all_die(&scene.lines("pids")).await;
}

#[tokio::test]
async fn what_cannot_be_started_did_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    std::fs::write(&plain, "#!/bin/sh\n").unwrap();
    for path in [Path::new("/nonexistent/program"), &plain, dir.path()] {
        let path = path.display();
        let text = format!("command = [\"{path}\"]\nverbs = [\"read\", \"topup\", \"find\"]");
        let provider = provider(&text).await;
        let frozen = provider.freeze(&order()).unwrap();
        let answer = provider.topup(&order(), &frozen).await;
        assert!(matches!(answer, Answer::NotSent { .. }), "{path}: {answer:?}");
        let error = provider.read(&line()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(ErrorKind::Configuration), "{path}");
        assert!(matches!(provider.find(&order()).await, Found::Blind { .. }));
    }
    let scene = Scene::new("").await;
    for foreign in
        ["", "{}", "{\"protocol\":2,\"verb\":\"topup\"}", "{\"protocol\":1,\"verb\":\"find\"}"]
    {
        let answer = scene.provider.topup(&order(), foreign).await;
        assert!(matches!(answer, Answer::NotSent { .. }), "{foreign}: {answer:?}");
    }
    assert!(scene.lines("requests").is_empty());
}

/// A provider whose program is `script`, with these arguments.
async fn script(script: &str, arguments: &str) -> (tempfile::TempDir, Arc<dyn Provider>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("script.sh");
    std::fs::write(&path, script).unwrap();
    let text = format!(
        "command = [\"/bin/sh\", \"{}\"{arguments}]\nverbs = [\"read\"]\ntimeout = \"3s\"\n\
         env = {{ MODE = \"a b;c\" }}\nsecrets = {{ KEY = \"hush\" }}",
        path.display()
    );
    (dir, provider(&text).await)
}

#[tokio::test]
async fn there_is_no_shell_and_nothing_of_our_environment() {
    let inside =
        "env | cut -d= -f1 | grep -v -e PWD -e SHLVL -e '^_$' -e OLDPWD | sort | tr '\\n' ' '";
    let (_dir, it) = script(&format!("printf '{{\"detail\":\"%s\"}}' \"$({inside})\""), "").await;
    assert_eq!(it.test().await.unwrap().detail.trim(), "KEY MODE PATH");
    let (_dir, it) = script(
        "printf '{\"detail\":\"%s|%s|%s\"}' \"$1\" \"$2\" \"$MODE\"",
        ", \"$(id); `id`\", \"* > x\"",
    )
    .await;
    assert_eq!(it.test().await.unwrap().detail, "$(id); `id`|* > x|a b;c");
    // Who does not listen may answer all the same; who complains at length is not held up.
    let (_dir, it) =
        script("exec <&-; yes complaint | head -c 300000 >&2; echo '{\"detail\":\"x\"}'", "").await;
    assert_eq!(it.test().await.unwrap().detail, "x");
}

#[tokio::test]
async fn questions_fail_by_their_kind() {
    for (text, quality) in [
        ("exit 7", Quality::Error(ErrorKind::Temporary)),
        ("sleep 60", Quality::Error(ErrorKind::Temporary)),
        ("echo hello", Quality::Unparseable),
        ("printf '\\377\\376'", Quality::Unparseable),
        ("yes | head -c 2000000", Quality::Unparseable),
        ("true", Quality::Unparseable),
    ] {
        let (_dir, it) = script(text, "").await;
        assert_eq!(it.read(&line()).await.unwrap_err().quality, quality, "{text}");
    }
}

#[test]
fn faults_name_the_key() {
    let fine = "command = [\"/bin/true\"]\nverbs = [\"read\"]";
    for (text, word) in [
        ("verbs = [\"read\"]".to_owned(), "command"),
        ("command = []\nverbs = [\"read\"]".to_owned(), "command"),
        ("command = [\"true\"]\nverbs = [\"read\"]".to_owned(), "absolute"),
        ("command = [\"/bin/true\"]".to_owned(), "verbs"),
        ("command = [\"/bin/true\"]\nverbs = [\"find\"]".to_owned(), "at least"),
        ("command = [\"/bin/true\"]\nverbs = [\"read\", \"dance\"]".to_owned(), "dance"),
        (format!("{fine}\nshell = true"), "unknown key"),
        (format!("{fine}\nenv = {{ \"A B\" = \"x\" }}"), "variable"),
        (format!("{fine}\nsecrets = {{ \"1\" = \"hush\" }}"), "variable"),
        (format!("{fine}\n[declares]\nlookup = \"by_ref\""), "lookup"),
        (format!("{fine}\nconcurrency = 1000"), "concurrency"),
    ] {
        let faults = read(&text).unwrap_err();
        assert!(faults.contains(word) && !faults.contains("hush"), "{text}: {faults}");
    }
    let config = read(&format!("{fine}\nsecrets = {{ KEY = \"hush\" }}\nrate = \"5/m\"")).unwrap();
    assert!(!format!("{config:?}").contains("hush"));
    let declares = config.declares();
    assert!(declares.reads && !declares.tops_up && declares.rate.is_some());
    assert_eq!((declares.lookup, declares.concurrency), (crate::providers::Lookup::None, 4));
    let paying = "command = [\"/bin/true\"]\nverbs = [\"topup\", \"list\"]\ntimeout = \"5s\"";
    let declares = read(paying).unwrap().declares();
    assert_eq!(declares.lookup, crate::providers::Lookup::ListOnly);
    assert_eq!(declares.timeout, Span::seconds(100), "a top-up gets the time it takes");
}

#[tokio::test]
async fn the_example_keeps_the_protocol() {
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        return;
    }
    let books = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/exec-provider.py");
    let it = provider(&format!(
        "command = [\"{}\", \"{}\"]\nverbs = [\"read\", \"topup\", \"find\", \"list\", \"wallet\"]\n\
         env = {{ BOOKS = \"{}\" }}\n[declares]\nlookup = \"by_ref\"\nref_unique = \"strict\"",
        python.display(),
        example.display(),
        books.path().join("books").display()
    ))
    .await;
    assert!(it.test().await.unwrap().detail.starts_with("0 order(s)"));
    assert_eq!(it.find(&order()).await, Found::Nothing);
    let frozen = it.freeze(&order()).unwrap();
    for _ in 0..2 {
        let answer = it.topup(&order(), &frozen).await;
        assert!(matches!(answer, Answer::Paid(_)), "{answer:?}");
    }
    assert!(matches!(it.find(&order()).await, Found::One(Answer::Paid(_))));
    let read = it.read(&line()).await.unwrap();
    assert_eq!(read.values.balance, Money::parse("15.00 USD").ok(), "charged once");
    let all = it.list(Timestamp::from_ms(0), Timestamp::from_ms(i64::from(u32::MAX) * 1000)).await;
    let all = all.unwrap();
    assert_eq!(all.len(), 1);
    assert!(all[0].is_like(&order()), "{all:?}");
    assert_eq!(it.wallet().await.unwrap(), Money::parse("100.00 USD").unwrap());
}
