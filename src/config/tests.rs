use super::*;
use std::fs;
use tempfile::TempDir;

const SHIPPED: &str = include_str!("../../config/topupd.toml");

/// Loads `files` (name and text) and `env`; directory names are cut from the faults.
fn load(files: &[(&str, &str)], env: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let dir = TempDir::new().unwrap();
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, text)| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        })
        .collect();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let prefix = format!("{}/", dir.path().display());
    Settings::load(&paths, env)
        .map_err(|faults| faults.iter().map(|f| f.to_string().replace(&prefix, "")).collect())
}

fn faults(files: &[(&str, &str)], env: &[(&str, &str)]) -> Vec<String> {
    load(files, env).expect_err("this configuration is wrong")
}

#[test]
fn later_files_win_and_the_environment_wins_over_all() {
    let a = "[flow]\npoll_every = \"1h\"\nconfirm_after = \"1m\"\ndrain = \"10s\"\n";
    let b = "[flow]\npoll_every = \"2h\"\nconfirm_after = \"3m\"\n";
    let env = [("TOPUPD__FLOW__POLL_EVERY", "4h"), ("TOPUPD__SAFETY__STORM_MIN", "7")];
    let settings = load(&[("a.toml", a), ("b.toml", b)], &env).unwrap();
    assert_eq!(settings.flow.poll_every, Span::hours(4));
    assert_eq!(settings.flow.confirm_after, Span::minutes(3));
    assert_eq!(settings.flow.drain, Span::seconds(10));
    assert_eq!(settings.safety.storm_min, 7);
    let swapped = load(&[("b.toml", b), ("a.toml", a)], &[]).unwrap();
    assert_eq!(swapped.flow.poll_every, Span::hours(1));
}

#[test]
fn lists_come_from_files_and_from_the_environment() {
    let file =
        ("a.toml", "[flow]\nverify_after = [\"5s\"]\n[caps]\nglobal_24h = [\"9 USD\", \"8 EUR\"]");
    let settings = load(&[file], &[]).unwrap();
    assert_eq!(settings.flow.verify_after, [Span::seconds(5)]);
    assert_eq!(format!("{:?}", settings.caps.global_24h), "[9.00 USD, 8.00 EUR]");
    let env = [("TOPUPD__FLOW__VERIFY_AFTER", "1s, 2s"), ("TOPUPD__CAPS__GLOBAL_24H", "5 JPY")];
    let settings = load(&[file], &env).unwrap();
    assert_eq!(settings.flow.verify_after, [Span::seconds(1), Span::seconds(2)]);
    assert_eq!(format!("{:?}", settings.caps.global_24h), "[5 JPY]");
}

#[test]
fn all_faults_of_all_files_and_the_environment_come_at_once() {
    let a = "[flow]\npoll_every = \"soon\"\ndrain = \"0s\"\n\n[nonsense]\nx = 1\n";
    let b = "[caps]\n  order = \"10\"\n[safety]\nresubmit = \"always\"\n";
    let env = [("TOPUPD__ADMIN__LISTEN", "everywhere"), ("TOPUPD__FLOW__VERIFY", "1m")];
    let mut found = faults(&[("a.toml", a), ("b.toml", b), ("c.toml", "\n= 1")], &env);
    // The words are those of the TOML library.
    let syntax = found.remove(0);
    assert!(
        syntax.starts_with("c.toml:2: syntax: found ") && syntax.ends_with("; allowed is TOML 1.0")
    );
    assert_eq!(
        found,
        [
            "the environment: admin.listen: found \"everywhere\"; allowed is an address such as \"127.0.0.1:7878\", or \"off\"",
            "a.toml:2: flow.poll_every: found \"soon\"; allowed is a span such as \"30s\", \"5m\", \"6h\", \"7d\"",
            "a.toml:3: flow.drain: found \"0s\"; allowed is a span above zero, such as \"30s\", \"5m\", \"6h\"",
            "the environment: flow.verify: found \"1m\"; unknown key; allowed here: approval_expires, concurrency, confirm_after, drain, lease, notify_after, poll_every, reconcile_after, retry_after, stale_after, verify_after",
            "b.toml:2: caps.order: found \"10\"; `10` is not an amount of money (write for example \"10.00 USD\")",
            "b.toml:4: safety.resubmit: found \"always\"; allowed: never, strict",
            "a.toml:5: nonsense: found a table with x; unknown key; allowed here: admin, caps, channels, database, fleet, flow, hooks, log, notices, providers, retention, safety, telemetry",
        ]
    );
}

#[test]
fn each_wrong_value_says_what_is_allowed() {
    let kinds = channels::KINDS.join(", ");
    let no_kind = format!(
        "a.toml:1: channels.mail.KIND: missing; allowed is exactly one table, named by its kind: {kinds}"
    );
    for (text, fault) in [
        (
            "[flow]\nverify_after = [\"1m\", \"0s\"]",
            "a.toml:2: flow.verify_after: found a list of 2; allowed is a list of spans above zero, such as [\"1m\", \"2m\"]",
        ),
        (
            "[flow]\nstale_after = \"0m\"",
            "a.toml:2: flow.stale_after: found \"0m\"; allowed is a span above zero, such as \"30s\", \"5m\", \"6h\"",
        ),
        (
            "[retention]\nreadings = \"30d\"",
            "a.toml:2: retention.readings: found \"30d\"; allowed is 90d or more, such as \"400d\"",
        ),
        (
            "[retention]\nrollups = \"399d\"",
            "a.toml:2: retention.rollups: found \"399d\"; allowed is 400d or more, such as \"400d\"",
        ),
        (
            "[safety]\nstorm_share = \"101%\"",
            "a.toml:2: safety.storm_share: found \"101%\"; allowed is \"0%\" to \"100%\"",
        ),
        (
            "[safety]\nunknown_limit = 0",
            "a.toml:2: safety.unknown_limit: found 0; allowed is a whole number from 1 to 1000",
        ),
        (
            "[caps]\norders_24h = 0",
            "a.toml:2: caps.orders_24h: found 0; allowed is a whole number from 1 to 1000",
        ),
        (
            "[caps]\nglobal_24h = []",
            "a.toml:2: caps.global_24h: found a list of 0; allowed is an amount above zero such as \"200.00 USD\", or a list with one for each currency",
        ),
        (
            "[caps]\nglobal_24h = [\"1 USD\", \"2 USD\"]",
            "a.toml:2: caps.global_24h: found a list of 2; allowed is an amount above zero such as \"200.00 USD\", or a list with one for each currency; not \"2 USD\"",
        ),
        (
            "[log]\nlevel = \"loud\"",
            "a.toml:2: log.level: found \"loud\"; allowed: error, warn, info, debug, trace",
        ),
        (
            "[telemetry]\notlp = \"127.0.0.1:4318\"",
            "a.toml:2: telemetry.otlp: found \"127.0.0.1:4318\"; allowed is the address of a collector such as \"http://127.0.0.1:4318\", without a user, a password or a query",
        ),
        (
            "[telemetry]\notlp = \"https://me:s3cret@traces.example\"",
            "a.toml:2: telemetry.otlp: found <secret>; allowed is the address of a collector such as \"http://127.0.0.1:4318\", without a user, a password or a query",
        ),
        (
            "[telemetry]\notlp = \"https://traces.example\"\notlp_headers = \"s3cret\"",
            "a.toml:3: telemetry.otlp_headers: found <secret>; allowed are headers with commas between them, such as \"Authorization=Bearer KEY,X-Scope-OrgID=1\"",
        ),
        (
            "[telemetry]\notlp = \"http://traces.example\"\notlp_headers = \"X-Key=s3cret\"",
            "a.toml:3: telemetry.otlp_headers: found <secret>; allowed where otlp is https, or on this machine: all others could read along",
        ),
        (
            "[telemetry]\notlp_headers = \"X-Key=s3cret\"",
            "a.toml:2: telemetry.otlp_headers: found <secret>; allowed only beside otlp",
        ),
        ("flow = 1", "a.toml:1: flow: found 1; allowed is a table"),
        (
            "[providers.\"a b\".manual]",
            "a.toml:1: providers.a b: found a table with manual; allowed are names of 1 to 64 letters, digits, `_` and `-`",
        ),
        ("[channels.mail]\n", &no_kind),
    ] {
        assert_eq!(faults(&[("a.toml", text)], &[]), [fault], "{text}");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let error = Settings::load(&["no/such.toml".into()], std::iter::empty()).unwrap_err();
    let faults: Vec<String> = error.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["no/such.toml: file: missing; allowed is a file that can be read"]);
}

#[test]
fn marks_and_line_ends_of_other_systems_are_accepted() {
    let settings = load(&[("a.toml", "\u{feff}[flow]\r\npoll_every = \"1h\"\r\n")], &[]).unwrap();
    assert_eq!(settings.flow.poll_every, Span::hours(1));
}

#[test]
fn the_environment_meets_keys_as_files_write_them() {
    let file = "[providers.Carrier.manual]\ninstructions = \"call them\"\n";
    let env = [("TOPUPD__PROVIDERS__CARRIER__MANUAL__BALANCE_LAG", "soon")];
    assert_eq!(
        faults(&[("a.toml", file)], &env),
        [
            "the environment: providers.Carrier.manual.balance_lag: found \"soon\"; allowed is a span such as \"30s\", \"5m\", \"6h\", \"7d\""
        ]
    );
    let twice = [("TOPUPD__FLOW", "x"), ("TOPUPD__FLOW__DRAIN", "1s"), ("TOPUPD_TEST", "ignored")];
    assert_eq!(
        faults(&[], &twice),
        [
            "the environment: flow.drain: found a second variable for the same key, or for a part of it; allowed is one variable for each key",
            "the environment: flow: found \"x\"; allowed is a table",
        ]
    );
}

#[test]
fn passwords_are_never_shown() {
    let url = "postgres://topupd:hunter2@db.example/topupd?sslmode=require";
    let settings = load(&[], &[("TOPUPD__DATABASE__URL", url)]).unwrap();
    assert_eq!(settings.database.url(), url);
    assert_eq!(settings.database.to_string(), "postgres://topupd@db.example/topupd");
    assert!(!format!("{settings:?}").contains("hunter2"));
    for wrong in ["mysql://u:hunter2@h/d", "postgres://u:hunter2@:x/d"] {
        let faults = faults(&[], &[("TOPUPD__DATABASE__URL", wrong)]);
        assert_eq!(
            faults,
            [
                "the environment: database.url: found <secret>; allowed are sqlite://FILE and postgres://USER@HOST/NAME, in `url` or in the file `url_file`"
            ]
        );
    }
    assert_eq!(faults(&[("a.toml", "[database]\nurl = \"sqlite::memory:\"")], &[]).len(), 1);
}

#[test]
fn secrets_are_found_where_systemd_puts_them() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("db"), "postgres://u:pw@h/d\n").unwrap();
    fs::write(dir.path().join("database.url"), "sqlite://other.db").unwrap();
    let credentials = ("CREDENTIALS_DIRECTORY", dir.path().to_str().unwrap());
    let settings = load(&[("a.toml", "[database]\nurl_file = \"db\"")], &[credentials]).unwrap();
    assert_eq!(settings.database.url(), "postgres://u:pw@h/d");
    assert_eq!(load(&[], &[credentials]).unwrap().database.url(), "sqlite://other.db");
}

#[test]
fn the_first_file_that_is_there_is_the_default() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("b.toml");
    fs::write(&file, "").unwrap();
    let found = first_file(&["/no/such/a.toml", file.to_str().unwrap(), "/etc/hostname"]);
    assert_eq!(found, [file]);
    assert_eq!(first_file(&["/no/such/a.toml"]), Vec::<PathBuf>::new());
}

#[test]
fn the_shipped_file_says_what_holds_without_it() {
    let (shipped, bare) =
        (load(&[("topupd.toml", SHIPPED)], &[]).unwrap(), load(&[], &[]).unwrap());
    assert_eq!(format!("{shipped:#?}"), format!("{bare:#?}"));
}

#[test]
fn the_shipped_file_mentions_every_key() {
    let allowed = |fault: &str| -> Vec<String> {
        let keys = fault.split("allowed here: ").nth(1).unwrap();
        keys.split(", ").map(str::to_owned).collect()
    };
    let sections = allowed(&faults(&[("a.toml", "no_such_section = 1")], &[])[0]);
    let is_ours =
        |section: &&String| !["providers", "channels", "hooks"].contains(&section.as_str());
    for section in sections.iter().filter(is_ours) {
        let start = SHIPPED.find(&format!("\n[{section}]\n")).unwrap();
        let text = SHIPPED[start + 2..].split("\n[").next().unwrap();
        let fault = &faults(&[("a.toml", &format!("[{section}]\nno_such_key = 1\n"))], &[])[0];
        for key in allowed(fault) {
            let (set, unset) = (format!("\n{key} = "), format!("\n#{key} = "));
            assert!(text.contains(&set) || text.contains(&unset), "[{section}] lacks {key}");
        }
    }
}

/// What stands behind a `#` in the shipped file works, too.
#[test]
fn the_examples_in_the_shipped_file_can_be_used() {
    let is_example = |rest: &str| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase());
    let all: Vec<&str> = SHIPPED
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| is_example(rest)).unwrap_or(line))
        .collect();
    let dir = TempDir::new().unwrap();
    for name in ["carrier-token", "carrier-key", "phone-key"] {
        fs::write(dir.path().join(name), "s3cret").unwrap();
    }
    let credentials = ("CREDENTIALS_DIRECTORY", dir.path().to_str().unwrap());
    let settings = load(&[("all.toml", &all.join("\n"))], &[credentials]).unwrap();
    let kinds: Vec<&str> = settings.providers.values().map(ProviderConfig::kind).collect();
    assert_eq!(kinds, ["http", "manual", "sms_inbox", "exec", "modem"]);
    assert_eq!(settings.channels.keys().collect::<Vec<_>>(), ["mail"]);
    assert_eq!(settings.flow.stale_after, Some(Span::hours(18)));
    assert!(!format!("{settings:?}").contains("s3cret"));
}

mod fuzz {
    use super::*;
    use proptest::prelude::*;

    /// The shipped file with lines put wrong, and anything at all: faults or settings, no panic, and
    /// no fault without a place.
    fn broken() -> impl Strategy<Value = String> {
        let lines: Vec<&'static str> = SHIPPED.lines().collect();
        let n = lines.len();
        proptest::collection::vec((0..n, "[a-z0-9_=\"\\[\\]{}.%: -]{0,40}"), 0..4).prop_map(
            move |harms| {
                let mut lines: Vec<String> =
                    lines.iter().map(|l| l.trim_start_matches('#').to_owned()).collect();
                for (at, text) in harms {
                    lines[at] = text;
                }
                lines.join("\n")
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn any_configuration_is_read_or_refused(text in prop_oneof![any::<String>(), broken()]) {
            if let Err(faults) = load(&[("a.toml", &text)], &[]) {
                prop_assert!(!faults.is_empty());
                prop_assert!(faults.iter().all(|fault| fault.contains("a.toml") || fault.contains(':')), "{faults:?}");
            }
        }
    }
}

#[test]
fn pages_leave_this_machine_only_through_a_proxy() {
    for listen in ["0.0.0.0:7878", "10.0.0.5:80", "[::]:7878"] {
        let text = format!("[admin]\nlisten = {listen:?}\n");
        let faults = load(&[("a.toml", &text)], &[]).unwrap_err();
        assert!(faults[0].contains("behind_proxy = true"), "{faults:?}");
        let open = format!("{text}behind_proxy = true\n");
        assert!(load(&[("a.toml", &open)], &[]).is_ok(), "{listen}");
    }
    for listen in ["127.0.0.1:7878", "[::1]:1", "[::ffff:127.0.0.1]:1", "off"] {
        let text = format!("[admin]\nlisten = {listen:?}\n");
        assert!(load(&[("a.toml", &text)], &[]).is_ok(), "{listen}");
    }
}
