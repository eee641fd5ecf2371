//! Monitoring as people set it up: the real daemon is scraped, promtool judges the page and the rules,
//! and no dashboard or rule speaks of a metric that is not there.

use super::support::{
    daemon::{Daemon, Install, LINE},
    fake::Fake,
};
use sqlx::Connection as _;
use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use topupd::sim::mailbox::Mailbox;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring")
}

fn document(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// Runs promtool; without it nothing is judged, except where everything must be.
fn promtool(args: &[&str], input: &str) {
    let started = Command::new("promtool")
        .current_dir(folder())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        assert!(std::env::var("CI").is_err(), "promtool is not installed");
        eprintln!("promtool is not installed; {args:?} is skipped");
        return;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "promtool {args:?}: {}", said.join(""));
}

/// An installation whose daemon answers at the address.
async fn served() -> (Fake, Mailbox, Install, SocketAddr) {
    let fake = Fake::start().await;
    fake.set_balance(LINE, 320);
    let mailbox = Mailbox::start().await.unwrap();
    let install = Install::new(&fake.url, &mailbox.url());
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    install.edit("topupd.toml", "listen = \"off\"", &format!("listen = \"{at}\""));
    install.apply();
    (fake, mailbox, install, at)
}

fn get(at: SocketAddr, path: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(at).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

fn start(install: &Install, at: SocketAddr) -> Daemon {
    let daemon = install.start();
    install.wait("readiness", || {
        get(at, "/readyz").is_some_and(|(head, _)| head.starts_with("HTTP/1.1 200"))
    });
    daemon
}

/// Names and types as the page says them.
fn types(page: &str) -> Vec<(String, String)> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines.map(|line| line.split_once(' ').unwrap()).map(|(n, t)| (n.into(), t.into())).collect()
}

/// The value of exactly this sample.
fn sample(page: &str, name: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_counts_what_happened_and_promtool_has_nothing_to_say() {
    let (_fake, _mailbox, install, at) = served().await;
    let daemon = start(&install, at);
    install.wait_state("verified");
    install.wait("a notice", || {
        let page = get(at, "/metrics").unwrap().1;
        sample(&page, "topupd_notice_tries_total{channel=\"mail\",outcome=\"sent\"}") >= 1.0
    });
    let (_, page) = get(at, "/metrics").unwrap();
    promtool(&["check", "metrics"], &page);
    for (name, least) in [
        ("topupd_polls_total{provider=\"carrier\",outcome=\"ok\"}", 2.0),
        ("topupd_poll_seconds_count{provider=\"carrier\"}", 2.0),
        ("topupd_topups{provider=\"carrier\",state=\"held\"}", 0.0),
        ("topupd_topup_results_total{provider=\"carrier\",state=\"paid\"}", 1.0),
        ("topupd_topup_results_total{provider=\"carrier\",state=\"verified\"}", 1.0),
        ("topupd_payment_seconds_count{provider=\"carrier\"}", 1.0),
        ("topupd_cap_used_minor{kind=\"global_24h\",currency=\"USD\"}", 1000.0),
        ("topupd_cap_limit_minor{kind=\"global_24h\",currency=\"USD\"}", 1000.0),
        ("topupd_stage_round_seconds_count{stage=\"decide\"}", 1.0),
        ("topupd_stage_round_seconds_count{stage=\"act\"}", 1.0),
        ("topupd_subscriptions{status=\"active\"}", 1.0),
        ("topupd_recorder_up", 1.0),
        ("topupd_journal_last_event_timestamp_seconds", 1.7e9),
        ("topupd_recorder_last_line_timestamp_seconds", 1.7e9),
        ("process_start_time_seconds", 1.7e9),
        ("process_open_fds", 3.0),
    ] {
        assert!(sample(&page, name) >= least, "{name} in {page}");
    }
    assert!(sample(&page, "topupd_oldest_reading_seconds{provider=\"carrier\"}") < 60.0);
    for secret in ["li-tmobile", "2025550123", "s3cret"] {
        assert!(!page.contains(secret), "{secret} is on the page");
    }
    // The document, the dashboard and the rules speak of nothing else.
    let types = types(&page);
    let table = document("README.md");
    for (name, kind) in &types {
        assert!(table.contains(&format!("| `{name}` | {kind} |")), "{name} is not in the table");
    }
    let rows =
        table.lines().filter(|l| l.starts_with("| `topupd_") || l.starts_with("| `process_"));
    assert_eq!(rows.count(), types.len());
    let known: BTreeSet<&str> = types.iter().map(|(name, _)| name.as_str()).collect();
    let word = regex::Regex::new(r"\b(?:topupd|process)_[a-z0-9_]+").unwrap();
    for name in ["grafana.json", "alerts.yml"] {
        let text = document(name);
        let mut found = 0;
        for used in word.find_iter(&text) {
            let used = used.as_str();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| used.strip_suffix(end));
            let there = known.contains(used) || base.is_some_and(|base| known.contains(base));
            assert!(there, "{name} speaks of {used}, which is not there");
            found += 1;
        }
        assert!(found > 10, "{name} speaks of {found} metrics");
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn the_rules_hold_and_pass_their_own_tests() {
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts_test.yml"], "");
    // Every rule is tested, at least once with the alert and once without.
    let (rules, tests) = (document("alerts.yml"), document("alerts_test.yml"));
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let mut count = 0;
    for alert in alerts {
        let times = tests.matches(&format!("alertname: {alert}\n")).count();
        assert!(times >= 2, "{alert} is tested {times} times");
        count += 1;
    }
    assert!(count >= 10, "only {count} alerts were found");
}

#[test]
fn the_dashboard_has_its_rows_and_every_panel_asks_something() {
    let board: serde_json::Value = serde_json::from_str(&document("grafana.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let (rows, graphs): (Vec<_>, Vec<_>) = panels.iter().partition(|p| p["type"] == "row");
    let titles: Vec<&str> = rows.iter().map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Money", "Lines", "Polling", "Notices", "Process"]);
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "an id is there twice: {panel}");
    }
    for panel in graphs {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty() && panel["title"].is_string(), "{panel}");
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            assert!(expression.contains("_"), "{expression}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        }
    }
}

/// Copies of the one line, with a year of top-ups and notices behind them. All of it lies in the past
/// or far ahead: nothing of it is due.
const CROWD: &[&str] = &[
    "PRAGMA foreign_keys = OFF",
    "CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100000) SELECT i FROM c",
    "CREATE TEMP TABLE s AS SELECT * FROM subscriptions",
    "INSERT INTO subscriptions SELECT 'line-' || i, subscriber_id, label, NULL, 'icc' || i, operator, time_zone, reader, payers, tags, plan, products, status, document, created_at, updated_at FROM s, n WHERE i < 10000",
    "INSERT INTO watches (subscription_id, reader, watched_since, next_poll_at, newest_at, ok_at, service_end_at) SELECT 'line-' || i, reader, 0, 4000000000000, 3, 3, CASE WHEN i % 2 = 0 THEN CAST(strftime('%s', 'now') AS INTEGER) * 1000 + 172800000 END FROM s, n WHERE i < 10000",
    "INSERT INTO readings (subscription_id, at, provider, quality, service_end_at) SELECT 'line-' || ((i - 1) % 9999 + 1), (i - 1) / 9999, 'carrier', 'ok', 4000000000000 FROM n WHERE i <= 49995",
    "CREATE TEMP TABLE t AS SELECT * FROM topups LIMIT 1",
    "UPDATE t SET state = 'verified', finalized_at = 1, next_action_at = NULL, reserved_at = 1, created_at = 1",
    "INSERT INTO notices (id, dedupe_key, subscriber_id, kind, severity, channel, facts, state, created_at, expires_at, sent_at) SELECT 'n' || i, 'n' || i, 'li', 'topup_paid', 'info', 'mail', '{}', 'sent', 1, 1, 1 FROM n",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_of_ten_thousand_lines_is_quick() {
    let (_fake, _mailbox, install, at) = served().await;
    let daemon = start(&install, at);
    install.wait_state("verified");
    assert_eq!(daemon.stop(), 0);
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", install.path("topupd.db").display());
    let mut database = sqlx::AnyConnection::connect(&url).await.unwrap();
    for statement in CROWD {
        sqlx::query(*statement).execute(&mut database).await.unwrap();
    }
    // A hundred thousand copies of the one top-up, each with an identity of its own.
    let columns: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_info('topups') ORDER BY cid")
            .fetch_all(&mut database)
            .await
            .unwrap();
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "id" | "need_id" | "transaction_id" => format!("'{column}' || i"),
            "subscription_id" => "'line-' || (i % 9999 + 1)".to_owned(),
            "last_sent_at" => "i".to_owned(),
            "reference" => "printf('%024d', i)".to_owned(),
            other => other.to_owned(),
        })
        .collect();
    let copies = format!("INSERT INTO topups SELECT {} FROM t, n", values.join(", "));
    sqlx::query(sqlx::AssertSqlSafe(copies)).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let daemon = start(&install, at);
    let (mut quickest, mut all) = (Duration::MAX, Duration::ZERO);
    for _ in 0..20 {
        let asked = Instant::now();
        let (_, page) = get(at, "/metrics").unwrap();
        let took = asked.elapsed();
        quickest = quickest.min(took);
        all += took;
        assert!(sample(&page, "topupd_subscriptions{status=\"active\"}") >= 10_000.0);
        assert!(
            sample(&page, "topupd_subscriptions_ending{kind=\"service_end\",within=\"7d\"}")
                >= 4999.0
        );
    }
    eprintln!("a scrape: {quickest:?} at best, {:?} on average", all / 20);
    // The database of a debug build is several times slower than that of a release.
    let limit = if cfg!(debug_assertions) { 100 } else { 20 };
    assert!(quickest < Duration::from_millis(limit), "{quickest:?}");
    assert_eq!(daemon.stop(), 0);
}
