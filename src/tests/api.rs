//! The API as strangers ask it: Schemathesis makes requests out of the published document, right
//! ones and wrong ones, and holds every answer of a real daemon against it.

use super::support::{
    daemon::{Daemon, Install, LINE},
    fake::{Fake, Manner},
    postgres,
    programs::free_port,
    python::python_with,
};
use std::{
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use topupd::sim::mailbox::Mailbox;

const PACKAGE: &str = "schemathesis==4.32.5";

/// More of everything, so that requests meet something.
const FLEET: &str = r#"
[[subscribers]]
id = "wang"
name = "Wang Fang"
email = "wang@example.com"
time_zone = "Asia/Shanghai"
channels = ["mail"]

[[subscriptions]]
id = "second"
subscriber = "wang"
label = "Second"
msisdn = "+12025550102"
time_zone = "America/New_York"
reader = "carrier"
payers = ["carrier"]
tags = ["us"]

[[subscriptions]]
id = "third"
subscriber = "li"
label = "Third"
msisdn = "+12025550103"
time_zone = "America/New_York"
reader = "carrier"
payers = ["carrier"]

[[subscriptions]]
id = "fourth"
subscriber = "li"
label = "Fourth"
msisdn = "+12025550104"
time_zone = "America/New_York"
reader = "carrier"
payers = ["carrier"]

[[rules]]
id = "second-rule"
applies_to = { tag = "us" }
mode = "notify"
any = [{ metric = "balance", at_most = "6.00 USD" }]
"#;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// A daemon with lines, top-ups in several states, and notices.
struct Served {
    _fake: Fake,
    _mailbox: Mailbox,
    install: Install,
    daemon: Daemon,
    at: String,
}

impl Served {
    /// On its own SQLite, or on `database`.
    async fn new(database: Option<&str>) -> Self {
        let fake = Fake::start().await;
        for (number, cents) in
            [(LINE, 320), ("+12025550102", 900), ("+12025550103", 900), ("+12025550104", 900)]
        {
            fake.set_balance(number, cents);
        }
        let mailbox = Mailbox::start().await.unwrap();
        let install = Install::new(&fake.url, &mailbox.url());
        if let Some(url) = database {
            let own = format!("sqlite://{}", install.path("topupd.db").display());
            install.edit("topupd.toml", &own, url);
        }
        let at = format!("127.0.0.1:{}", free_port());
        install.edit("topupd.toml", "listen = \"off\"", &format!("listen = \"{at}\""));
        install.edit("fleet.toml", "approve_first = false", "approve_first = true");
        let fleet = std::fs::read_to_string(install.path("fleet.toml")).unwrap();
        std::fs::write(install.path("fleet.toml"), fleet + FLEET).unwrap();
        install.apply();
        let daemon = install.start();
        install.wait("an answer", || std::net::TcpStream::connect(&at).is_ok());
        // One waits for a yes, one is verified, one is held.
        install.wait_state("awaiting_approval");
        let order = |line| drop(install.run(&["topup", line, "--amount", "5.00 USD", "--yes"]));
        order("second");
        fake.set_manner(Manner::NoEffect);
        order("third");
        install.wait("a held case", || install.states().contains(&"held".to_owned()));
        fake.set_manner(Manner::Done);
        Self { _fake: fake, _mailbox: mailbox, install, daemon, at }
    }

    /// How it is asked, as Schemathesis reads it.
    fn plan(&self, seed: u64, examples: u64) -> String {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests");
        let ids = |args: &[&str]| {
            let list = self.install.json(args);
            let ids = list.as_array().unwrap().iter().map(|item| item["id"].to_string());
            ids.collect::<Vec<_>>().join(", ")
        };
        include_str!("schemathesis.toml")
            .replace("{hooks}", &tests.join("api.py").display().to_string())
            .replace("{seed}", &seed.to_string())
            .replace("{examples}", &examples.to_string())
            .replace("{topups}", &ids(&["topups", "list"]))
            .replace("{notices}", &ids(&["notices", "list"]))
    }

    /// Asks until everything was asked. Meanwhile somebody applies the fleet again and again, so that
    /// what was taken away comes back.
    fn ask(&self, python: &Path, phases: &str) -> (ExitStatus, String) {
        let install = &self.install;
        let token = install.json(&["token", "create", "--role", "admin"]);
        let report = std::fs::File::create(install.path("report")).unwrap();
        let mut child = Command::new(python.with_file_name("schemathesis"))
            .current_dir(install.path(""))
            .args(["--config-file", "schemathesis.toml", "run", "--no-color", "--phases", phases])
            .arg(format!("http://{}/api/v1/openapi.json", self.at))
            .env("TOPUPD_TOKEN", token["token"].as_str().unwrap())
            .env("TOPUPD_TOKEN_ID", token["id"].as_str().unwrap())
            // Loopback goes through no proxy.
            .envs([("NO_PROXY", "*"), ("no_proxy", "*")])
            .stdout(Stdio::from(report.try_clone().unwrap()))
            .stderr(Stdio::from(report))
            .spawn()
            .unwrap();
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > Duration::from_secs(3600) {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_secs(1));
            install.run(&["apply", install.path("fleet.toml").to_str().unwrap()]);
        };
        (status, std::fs::read_to_string(install.path("report")).unwrap())
    }
}

async fn every_answer_is_in_the_document(database: Option<&str>, phases: &str) {
    let python = tokio::task::spawn_blocking(|| python_with(PACKAGE, "schemathesis"));
    let Some(python) = python.await.unwrap() else { return };
    let mut served = Served::new(database).await;
    let seed = number("TOPUPD_API_SEED", 20_261_122);
    let plan = served.plan(seed, number("TOPUPD_API_EXAMPLES", 10));
    std::fs::write(served.install.path("schemathesis.toml"), plan).unwrap();
    let (status, report) = served.ask(&python, phases);
    let summary = report.split("Test cases:").nth(1).unwrap_or_default();
    eprintln!("Schemathesis, seed {seed}:{summary}");
    assert!(status.success(), "seed {seed}:\n{report}");
    assert!(served.daemon.is_running(), "{}", served.install.log());
    assert_eq!(served.daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_on_sqlite_are_in_the_document() {
    every_answer_is_in_the_document(None, "examples,coverage,fuzzing,stateful").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_on_postgresql_are_in_the_document() {
    let Some(server) = postgres::server() else { return };
    let url = server.database("api").await;
    every_answer_is_in_the_document(Some(&url), "fuzzing").await;
}
