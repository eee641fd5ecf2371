//! The pages in a real browser, from the first sign-in to a settled case.

use super::support::{
    daemon::{Install, LINE},
    fake::{Fake, Manner},
    python::python_with,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use topupd::sim::mailbox::Mailbox;

const PACKAGES: &str = "playwright==1.65.2 axe-playwright-python==0.1.8";
const PASSWORD: &str = "correct horse battery";

/// A browser that does what it is told, step by step.
struct Browser {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Browser {
    fn start(address: &str, folder: &Path) -> Option<Self> {
        let chromium = ["chromium", "chromium-browser", "google-chrome"]
            .iter()
            .flat_map(|name| ["/usr/bin", "/usr/local/bin"].map(|at| PathBuf::from(at).join(name)))
            .find(|path| path.exists());
        let Some(chromium) = chromium else {
            assert!(std::env::var("CI").is_err(), "there is no Chromium");
            eprintln!("SKIPPED: there is no Chromium");
            return None;
        };
        let python = python_with(PACKAGES, "playwright, axe_playwright_python")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/browser.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(address)
            .args([&chromium, folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Some(Self { child, lines })
    }

    /// One step; the test ends where it cannot be done.
    #[track_caller]
    fn step(&mut self, step: &Value) -> Value {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{step}").unwrap();
        let answer = self.lines.next().unwrap().unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer.get("error").is_none(), "{step}: {}", answer["error"].as_str().unwrap());
        answer["ok"].clone()
    }

    /// Nothing on this page keeps anybody from using it, or broke.
    #[track_caller]
    fn is_usable(&mut self) {
        assert_eq!(self.step(&json!(["axe"])), json!([]));
        assert_eq!(self.step(&json!(["trouble"])), json!([]));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

/// Where pictures of the pages are written, for people to look at.
fn pictures() -> PathBuf {
    let folder = std::env::var_os("TOPUPD_PICTURES").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_with_a_browser_sees_approves_and_settles() {
    let fake = Fake::start().await;
    fake.set_balance(LINE, 1220);
    let mailbox = Mailbox::start().await.unwrap();
    let install = Install::new(&fake.url, &mailbox.url());
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    install.edit("topupd.toml", "listen = \"off\"", &format!("listen = \"127.0.0.1:{port}\""));
    install.edit(
        "fleet.toml",
        "approve_first = false",
        "approve_first = true\ncooldown_success = \"1s\"\ncooldown_attempt = \"1s\"",
    );
    install.apply();
    let made = install.feed(&["user", "create", "ana", "--role", "admin"], PASSWORD);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let daemon = install.start();
    install.wait("the page", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let address = format!("http://127.0.0.1:{port}");
    let Some(mut browser) = Browser::start(&address, &pictures()) else { return };
    let mut step = |step: Value| browser.step(&step);

    step(json!(["go", "/"]));
    step(json!(["sign_in", "ana", PASSWORD]));
    step(json!(["sees", "12.20 USD"]));
    step(json!(["sees", "Paying is on"]));
    // The balance falls; the page tells by itself, and so does the order that waits.
    fake.set_balance(LINE, 320);
    step(json!(["sees", "3.20 USD"]));
    step(json!(["sees", "waits for approval"]));
    step(json!(["shot", "overview"]));
    step(json!(["shot", "overview-dark", "desktop", true]));
    step(json!(["shot", "overview-phone", "phone"]));
    assert_eq!(step(json!(["wide"])), json!(false), "nobody scrolls sideways on a phone");
    step(json!(["shot", "overview"]));
    browser.is_usable();
    let mut step = |step: Value| browser.step(&step);
    let focused = step(json!(["keyboard", 4]));
    assert_eq!(focused[0], "To the content", "{focused}");

    // Approved, it is seen to become verified without loading the page again.
    step(json!(["follow", "10.00 USD"]));
    step(json!(["sees", "exactly this order"]));
    step(json!(["press", "Approve"]));
    step(json!(["sees", "verified"]));
    step(json!(["sees", "ana"]));
    step(json!(["shot", "topup"]));
    browser.is_usable();
    assert_eq!(fake.charges().len(), 1);
    let mut step = |step: Value| browser.step(&step);
    step(json!(["follow", "Receipt"]));
    step(json!(["go", "/lines/li-tmobile"]));
    step(json!(["sees", "13.20 USD"]));
    step(json!(["shot", "line"]));
    step(json!(["shot", "line-phone", "phone"]));
    assert_eq!(step(json!(["wide"])), json!(false));
    step(json!(["shot", "line"]));
    browser.is_usable();

    // A top-up by hand whose effect never shows: it is held, and a person settles it.
    fake.set_manner(Manner::NoEffect);
    let mut step = |step: Value| browser.step(&step);
    step(json!(["fill", "Amount", "11.00 USD"]));
    step(json!(["press", "Top up"]));
    step(json!(["sees", "11.00 USD for Bank number?"]));
    browser.is_usable();
    let mut step = |step: Value| browser.step(&step);
    step(json!(["press", "Yes, top up 11.00 USD"]));
    step(json!(["sees", "a person must decide"]));
    step(json!(["check", "It was charged"]));
    step(json!(["fill", "How do you know?", "the carrier's own list has it"]));
    step(json!(["check", "I looked at the payer"]));
    browser.is_usable();
    let mut step = |step: Value| browser.step(&step);
    step(json!(["press", "Settle"]));
    step(json!(["sees", "the carrier's own list has it"]));
    step(json!(["sees_not", "Settle it"]));

    // A line more, by form, and every other page.
    fake.set_balance("+12025550177", 900);
    step(json!(["go", "/lines/new"]));
    step(json!(["fill", "Label", "Second phone"]));
    step(json!(["fill", "Id: small letters, digits and dashes", "second"]));
    step(json!(["fill", "Number", "+12025550177"]));
    step(json!(["choose", "payer", "carrier"]));
    step(json!(["press", "Add the line"]));
    step(json!(["sees", "9.00 USD"]));
    for path in
        ["/lines/new", "/rules", "/rules/edit", "/notices", "/providers", "/ledger", "/audit"]
    {
        assert_eq!(browser.step(&json!(["go", path])), 200, "{path}");
        browser.is_usable();
        browser.step(&json!(["shot", "other-phone", "phone"]));
        assert_eq!(browser.step(&json!(["wide"])), json!(false), "{path}");
        browser.step(&json!(["shot", "other"]));
    }
    // A subscriber with a link sees their own, without signing in.
    let link = install.json(&["subscriber", "link", "li"]);
    let mut step = |step: Value| browser.step(&step);
    step(json!(["go", link["link"]]));
    step(json!(["sees", "Bank number"]));
    step(json!(["shot", "subscriber-phone", "phone"]));
    assert_eq!(step(json!(["wide"])), json!(false));
    step(json!(["shot", "subscriber"]));
    browser.is_usable();

    // Another language, another look; both stay.
    let mut step = |step: Value| browser.step(&step);
    step(json!(["go", "/"]));
    step(json!(["choose", "locale", "zh-CN"]));
    step(json!(["choose", "theme", "dark"]));
    step(json!(["press", "Use"]));
    step(json!(["sees", "付款已开启"]));
    assert_eq!(step(json!(["attribute", "lang"])), "zh-CN");
    assert_eq!(step(json!(["attribute", "data-theme"])), "dark");
    step(json!(["shot", "overview-zh"]));
    browser.is_usable();
    let mut step = |step: Value| browser.step(&step);
    step(json!(["press", "退出登录"]));
    step(json!(["go", "/topups"]));
    step(json!(["sees_not", "11.00 USD"]));
    drop(browser);
    assert_eq!(daemon.stop(), 0);
}

/// A demo on a port of its own; ended with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_demo_is_worth_looking_at() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = free.local_addr().unwrap().to_string();
    drop(free);
    let demo = Command::new(env!("CARGO_BIN_EXE_topupd"))
        .args(["demo", "--for", "3m", "--listen", &at])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _demo = Demo(demo);
    let started = std::time::Instant::now();
    while std::net::TcpStream::connect(&at).is_err() {
        assert!(started.elapsed().as_secs() < 60, "the demo's page did not come");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let Some(mut browser) = Browser::start(&format!("http://{at}"), &pictures()) else { return };
    let mut step = |step: Value| browser.step(&step);
    step(json!(["go", "/topups"]));
    step(json!(["waits_for", "td .state-verified"]));
    step(json!(["shot", "demo-topups"]));
    step(json!(["go", "/"]));
    step(json!(["shot", "demo-overview-phone", "phone"]));
    step(json!(["shot", "demo-overview-dark", "desktop", true]));
    step(json!(["shot", "demo-overview"]));
    browser.is_usable();
    let mut step = |step: Value| browser.step(&step);
    step(json!(["follow_first", "main table:last-of-type a[href^='/lines/']"]));
    step(json!(["sees", "What happened"]));
    step(json!(["shot", "demo-line"]));
    browser.is_usable();
    let mut step = |step: Value| browser.step(&step);
    step(json!(["go", "/topups?state=verified"]));
    step(json!(["follow_first", "main td a[href^='/topups/']"]));
    step(json!(["waits_for", ".story .state-verified"]));
    step(json!(["shot", "demo-topup"]));
    browser.is_usable();
}
