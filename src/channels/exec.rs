//! Any program as a channel: `[channels.NAME.exec]`. One JSON object on its standard input, an exit
//! code as its answer.
//!
//! Facts: the codes are those of `sysexits.h`, as mail programs use them. There is no shell; the
//! environment is empty but for `PATH` and what is configured. Invariant: a program that was stopped
//! or died may have sent the message; only an exit code says that it did not.

use super::{Channel, Message, Needs, Outcome, Recipient};
use crate::domain::Span;
use crate::input::{Fault, Section};
use crate::transport::program::{Ended, Program, RunError};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

/// How long it may take, unless the config says otherwise.
const TIMEOUT: Span = Span::seconds(30);
/// A try must end before another one may begin.
const TIMEOUT_MAX: Span = Span::seconds(90);
/// The longest id that is kept.
const ID_MAX: usize = 100;

/// `EX_NOUSER`: the addressee is not known.
const NO_USER: i32 = 67;
/// `EX_TEMPFAIL`: nothing was sent, and a later try may work.
const TEMPORARY: i32 = 75;

/// What is written in `[channels.NAME.exec]`.
#[derive(Clone, Debug)]
pub struct Config {
    program: Program,
    needs: Needs,
    timeout: Span,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let program = Program::read(s, "command");
        let needs = s.word(
            "needs",
            &[
                ("nothing", Needs::Nothing),
                ("email", Needs::Email),
                ("phone", Needs::Phone),
                ("address", Needs::Address),
            ],
        );
        let timeout = s.span("timeout").unwrap_or(TIMEOUT);
        if timeout <= Span::ZERO || timeout > TIMEOUT_MAX {
            s.fault("timeout", format!("allowed is a span above zero and up to {TIMEOUT_MAX}"));
        }
        section.finish();
        Some(Self { program: program?, needs: needs.unwrap_or(Needs::Nothing), timeout })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, _: &str) -> Result<Arc<dyn Channel>, Fault> {
        Ok(Arc::new(Exec(self.clone())))
    }
}

#[derive(Debug)]
struct Exec(Config);

#[async_trait]
impl Channel for Exec {
    fn needs(&self) -> Needs {
        self.0.needs
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let program = &self.0.program;
        let ended =
            program.run_to_end(&input(message, recipient).to_string(), self.0.timeout).await;
        let id = ended.as_ref().ok().and_then(|ended| first_line(program, ended));
        match follows(program, ended) {
            Outcome::Accepted { .. } => Outcome::Accepted { vendor_id: id },
            other @ (Outcome::Retry { .. }
            | Outcome::Ambiguous { .. }
            | Outcome::BadRecipient { .. }
            | Outcome::BadConfig { .. }) => other,
        }
    }

    async fn test(&self) -> Result<String, String> {
        is_program(&self.0.program.command).await
    }
}

/// What follows from the end of a program that was to send one message.
pub(super) fn follows(program: &Program, ended: Result<Ended, RunError>) -> Outcome {
    let ended = match ended {
        Ok(ended) => ended,
        Err(RunError::NotStarted(why)) => return Outcome::BadConfig { why },
        Err(RunError::Lost { why, .. }) => return Outcome::Ambiguous { why: program.clean(&why) },
    };
    let why = ended.why();
    match ended.status.code() {
        Some(0) => Outcome::Accepted { vendor_id: None },
        Some(TEMPORARY) => Outcome::Retry { after: None, why },
        Some(NO_USER) => Outcome::BadRecipient { why },
        Some(_) => Outcome::BadConfig { why },
        // A signal came while it did nobody knows what.
        None => Outcome::Ambiguous { why },
    }
}

/// True words about a program that is not run.
pub(super) async fn is_program(path: &str) -> Result<String, String> {
    match tokio::fs::metadata(path).await {
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => {
            Ok(format!("{path} is there and is a program; it was not run"))
        }
        Ok(_) => Err(format!("{path} is not a program")),
        Err(error) => Err(format!("{path} cannot be found ({error})")),
    }
}

/// What the program is told.
fn input(message: &Message, recipient: &Recipient) -> Value {
    let mut fields = message.fields(recipient);
    fields.insert("link".to_owned(), json!(message.link));
    Value::Object(fields)
}

/// The id that it gave the message.
fn first_line(program: &Program, ended: &Ended) -> Option<String> {
    let said = program.clean(&String::from_utf8_lossy(&ended.output));
    let line: String = said.lines().next()?.trim().chars().take(ID_MAX).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{channel, config, message, reader};
    use super::*;

    /// A channel that runs the script; its secret is `s3cret`.
    fn script(text: &str) -> Arc<dyn Channel> {
        let command = format!("[\"/bin/sh\", \"-c\", {text:?}]");
        channel("exec", &format!("command = {command}\ntimeout = \"2s\"\nsecrets.KEY = \"s3cret\""))
    }

    async fn outcome(text: &str) -> Outcome {
        script(text).send(&message(), &reader()).await
    }

    #[tokio::test]
    async fn every_end_is_sorted_by_what_may_follow() {
        let why = |why: &str| why.to_owned();
        for (text, expected) in [
            ("exit 0", Outcome::Accepted { vendor_id: None }),
            ("echo ' m-1 '; echo more", Outcome::Accepted { vendor_id: Some("m-1".to_owned()) }),
            ("echo $KEY", Outcome::Accepted { vendor_id: Some("<secret>".to_owned()) }),
            (
                "echo $KEY is busy >&2; exit 75",
                Outcome::Retry {
                    after: None,
                    why: why("it ended with exit status: 75: <secret> is busy"),
                },
            ),
            ("exit 67", Outcome::BadRecipient { why: why("it ended with exit status: 67") }),
            ("exit 69", Outcome::BadConfig { why: why("it ended with exit status: 69") }),
            ("exit 1", Outcome::BadConfig { why: why("it ended with exit status: 1") }),
            ("kill -9 $$", Outcome::Ambiguous { why: why("it ended with signal: 9 (SIGKILL)") }),
            ("sleep 60", Outcome::Ambiguous { why: why("it did not end within 2s") }),
        ] {
            assert_eq!(outcome(text).await, expected, "{text}");
        }
        let nobody = channel("exec", "command = [\"/nonexistent/program\"]");
        let outcome = nobody.send(&message(), &reader()).await;
        assert!(matches!(outcome, Outcome::BadConfig { .. }), "{outcome:?}");
        assert!(nobody.test().await.is_err());
        assert!(script("exit 1").test().await.is_ok());
    }

    #[tokio::test]
    async fn it_is_told_everything_on_its_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seen.json");
        let told = outcome(&format!("cat > {}", path.display())).await;
        assert_eq!(told, Outcome::Accepted { vendor_id: None });
        let seen: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let expected = json!({
            "id": "n-42",
            "kind": "low_balance",
            "severity": "warning",
            "locale": "zh-CN",
            "subject": message().subject,
            "text": message().text,
            "short": message().short,
            "link": null,
            "recipient": {
                "name": "Li Wei",
                "email": "li@example.com",
                "phone": "+12025550199",
                "address": "chat-7",
            },
            "params": {
                "kind": "low_balance",
                "label": "\u{94f6}\u{884c}\u{5361}",
                "last4": "0123",
                "balance": "3.20 USD",
            },
        });
        assert_eq!(seen, expected);
    }

    #[test]
    fn faults_name_what_is_allowed() {
        for (text, words) in [
            ("command = [\"program\"]", "absolute path"),
            ("command = [\"/bin/true\"]\nneeds = \"luck\"", "nothing, email, phone, address"),
            ("command = [\"/bin/true\"]\ntimeout = \"1h\"", "up to 1m30s"),
            ("command = [\"/bin/true\"]\nshell = true", "unknown key"),
        ] {
            let faults = config("exec", text).unwrap_err();
            assert!(faults.iter().any(|fault| fault.contains(words)), "{faults:?}");
        }
        let needy = config("exec", "command = [\"/bin/true\"]\nneeds = \"phone\"").unwrap();
        assert_eq!(needy.needs(), Needs::Phone);
        let secret = config("exec", "command = [\"/bin/true\"]\nsecrets.KEY = \"s3cret\"").unwrap();
        assert!(!format!("{secret:?}").contains("s3cret"));
    }
}
