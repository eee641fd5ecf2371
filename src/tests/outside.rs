//! Channels against programs that are not ours: a mail server and a mail reader, the verifier of
//! webhooks that the Standard Webhooks project publishes.

use super::support::python::{python_with, run};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use topupd::{
    channels::{Channel, Message, Outcome, Recipient, read_config},
    domain::NoticeKind,
    input::{Intake, Origin, Section, from_toml},
    words::Words,
};

/// The channel of `[KIND]` and its keys.
pub(crate) fn channel(text: &str) -> Arc<dyn Channel> {
    let table = from_toml("test.toml", text).unwrap();
    let intake = Intake::new();
    let section = Section::new(&table, "channels.out", &Origin::file("test.toml"), &intake);
    let config = read_config(section);
    assert_eq!(intake.into_faults(), []);
    config.unwrap().build("out").unwrap()
}

fn to(address: &str) -> Recipient {
    let email = Some(format!("{address}@example.com"));
    Recipient { name: "\u{674e}\u{4f1f}".into(), email, phone: None, address: None }
}

/// A letter as the core writes it.
pub(crate) fn letter(locale: &str) -> Message {
    Words::new().unwrap().sample(NoticeKind::TopupHeld, locale).unwrap()
}

struct Server {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    port: u16,
}

impl Server {
    fn start(python: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/outside.py");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut child = Command::new(python)
            .arg(script)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        Self { child, lines, port }
    }

    fn letter(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_and_a_mail_reader_of_others_understand_our_letters() {
    let python = tokio::task::spawn_blocking(|| python_with("aiosmtpd==1.4.6", "aiosmtpd"));
    let Some(python) = python.await.unwrap() else { return };
    let mut server = Server::start(&python);
    let mail = channel(&format!(
        "[email]\nurl = \"smtp://127.0.0.1:{}\"\nfrom = \"topupd <topupd@example.com>\"\n",
        server.port
    ));
    for locale in ["en", "zh-CN"] {
        let message = letter(locale);
        let outcome = mail.send(&message, &to("li")).await;
        let vendor_id = Some("1A2B".to_owned());
        assert!(
            matches!(&outcome, Outcome::Accepted { vendor_id: id } if *id == vendor_id || id.is_some()),
            "{outcome:?}"
        );
        let read = server.letter();
        assert_eq!(read["defects"], serde_json::json!([]), "{read}");
        assert_eq!(read["headers"]["subject"], message.subject.as_str());
        assert_eq!(read["headers"]["auto-submitted"], "auto-generated");
        assert!(read["headers"]["to"].as_str().unwrap().contains("\u{674e}\u{4f1f}"), "{read}");
        let unix =
            |text: &Value| text.as_str().unwrap().replace("\r\n", "\n").trim_end().to_owned();
        assert_eq!(unix(&read["parts"]["text/plain"]), message.text.trim_end());
        assert_eq!(unix(&read["parts"]["text/html"]), message.html.trim_end());
    }
    for (address, expected) in [
        ("rcpt451", "Retry"),
        ("rcpt550", "BadRecipient"),
        ("data452", "Retry"),
        ("data554", "BadRecipient"),
        ("drop", "Ambiguous"),
    ] {
        let outcome = format!("{:?}", mail.send(&letter("en"), &to(address)).await);
        assert!(outcome.starts_with(expected), "{address}: {outcome}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_verifier_accepts_our_webhooks_and_no_others() {
    let package = "standardwebhooks==1.0.1";
    let python = tokio::task::spawn_blocking(|| python_with(package, "standardwebhooks"));
    let Some(python) = python.await.unwrap() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut part = [0; 4096];
        loop {
            let n = stream.read(&mut part).await.unwrap();
            request.extend_from_slice(&part[..n]);
            let text = String::from_utf8_lossy(&request).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
                });
                if body.len() >= length.unwrap_or(0) {
                    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                    return text;
                }
            }
        }
    });
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let hook = channel(&format!(
        "[webhook]\nurl = {url:?}\nallow_private_network = true\nsecret = {secret:?}\n"
    ));
    let outcome = hook.send(&letter("zh-CN"), &to("li")).await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    let text = heard.await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let headers: BTreeMap<&str, &str> =
        head.lines().filter_map(|line| line.split_once(": ")).collect();
    let verify = |body: &str| {
        let script = "import json, sys\nfrom standardwebhooks import Webhook\n\
                      Webhook(sys.argv[1]).verify(sys.argv[2], json.loads(sys.argv[3]))\nprint('good')";
        let headers = serde_json::to_string(&headers).unwrap();
        run(Command::new(&python).args(["-c", script, secret, body, &headers]))
    };
    assert_eq!(verify(body).map(|said| said.trim().to_owned()), Ok("good".to_owned()));
    assert!(
        verify(&body.replace("topup_held", "topup_paid")).is_err(),
        "a changed body is refused"
    );
}
