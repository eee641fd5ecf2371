//! A program: how it is configured, and one run of it: its input, its output, its end, within a
//! time limit.
//!
//! Invariant: a run ends with the whole process group; nothing that it started goes on paying after
//! we gave it up. `NotStarted` is the only proof that nothing was done.

use super::redact;
use crate::domain::Span;
use crate::input::Section;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    os::unix::process::CommandExt as _,
    process::{ExitStatus, Stdio},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// More output is no answer.
const OUTPUT_MAX: usize = 1 << 20;
/// So much of what it complains about is kept.
const COMPLAINT_MAX: usize = 4096;
/// A killed process group is gone at once; where it is not, somebody else buries it.
const BURIAL: Span = Span::seconds(5);

/// A program and the environment that it runs in.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) command: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, SecretString>,
}

/// Why there is no output to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunError {
    /// It could not be started: nothing was done.
    NotStarted(String),
    /// It ran, and what it did is not known.
    Lost {
        /// Why, in words.
        why: String,
        /// What it had written.
        output: String,
        /// It wrote something, and that is no text, or too much of it.
        is_garbled: bool,
    },
}

/// A run that ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// How: a code, or a signal.
    pub(crate) status: ExitStatus,
    /// What it wrote.
    pub(crate) output: Vec<u8>,
    /// The beginning of what it complained about.
    pub(crate) complaint: String,
}

impl Ended {
    /// How it ended, in words.
    pub(crate) fn why(&self) -> String {
        let said = if self.complaint.is_empty() { "" } else { ": " };
        format!("it ended with {}{said}{}", self.status, self.complaint)
    }
}

impl Program {
    /// Reads `env` and `secrets`, and the list in `key`: the program, then its arguments.
    pub(crate) fn read(s: &mut Section<'_>, key: &str) -> Option<Self> {
        let env = env(s.section_or_empty("env"));
        let secrets = secrets(s.section_or_empty("secrets"));
        let (command, arguments) = words(s, key)?;
        Some(Self { command, arguments, env, secrets })
    }

    /// Reads only the list in `key`: a program that needs no environment of its own.
    pub(crate) fn bare(s: &mut Section<'_>, key: &str) -> Option<Self> {
        let (command, arguments) = words(s, key)?;
        Some(Self { command, arguments, env: BTreeMap::new(), secrets: BTreeMap::new() })
    }

    /// Gives it `input`, waits until it has ended and closed its output, and gives back what it
    /// wrote, if it ended with 0.
    pub(crate) async fn run(&self, input: &str, limit: Span) -> Result<String, RunError> {
        let ended = self.run_to_end(input, limit).await?;
        if !ended.status.success() {
            let output = String::from_utf8_lossy(&ended.output).into_owned();
            return Err(RunError::Lost { why: ended.why(), output, is_garbled: false });
        }
        String::from_utf8(ended.output).map_err(|error| {
            let output = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let why = "its output is not UTF-8".to_owned();
            RunError::Lost { why, output, is_garbled: true }
        })
    }

    /// The same, whatever it ended with.
    pub(crate) async fn run_to_end(&self, input: &str, limit: Span) -> Result<Ended, RunError> {
        let mut child = self.command().spawn().map_err(|error| {
            RunError::NotStarted(format!("{} cannot be started ({error})", self.command))
        })?;
        let mut group = Group::of(&child);
        let (mut output, mut complaint) = (Vec::new(), Vec::new());
        let work = converse(&mut child, input, &mut output, &mut complaint);
        let ended = tokio::time::timeout(limit.to_std(), work).await;
        let (why, is_garbled) = match ended {
            Ok(Ok(status)) => {
                group.is_over();
                let said = self.clean(&String::from_utf8_lossy(&complaint));
                let complaint = said.trim().chars().take(200).collect();
                return Ok(Ended { status, output, complaint });
            }
            Ok(Err(why)) => (why, true),
            Err(_) => (format!("it did not end within {limit}"), false),
        };
        if group.kill() {
            // Buries it; nobody waits for it otherwise.
            drop(tokio::time::timeout(BURIAL.to_std(), child.wait()).await);
        }
        let output = String::from_utf8_lossy(&output).into_owned();
        Err(RunError::Lost { why, output, is_garbled })
    }

    fn command(&self) -> Command {
        let mut command = std::process::Command::new(&self.command);
        command.args(&self.arguments).env_clear();
        if let Some(path) = path() {
            command.env("PATH", path);
        }
        command.envs(&self.env);
        command.envs(self.secrets.iter().map(|(name, secret)| (name, secret.expose_secret())));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        command
    }

    /// A text as it may be kept: without secrets, cut to 4 KiB.
    pub(crate) fn clean(&self, text: &str) -> String {
        let written = |secret: &SecretString| {
            let secret = secret.expose_secret().to_owned();
            let in_json = serde_json::to_string(&secret).unwrap_or_default();
            let in_json = in_json.trim_matches('"').to_owned();
            vec![secret, in_json]
        };
        redact::clean(text, self.secrets.values().map(written))
    }
}

/// The absolute path of a program, and its arguments. There is no shell.
fn words(s: &mut Section<'_>, key: &str) -> Option<(String, Vec<String>)> {
    let mut words = s.texts(key).unwrap_or_default().into_iter();
    let command = words.next().filter(|command| command.starts_with('/'));
    let arguments: Vec<String> = words.collect();
    let command = command.filter(|_| !arguments.iter().any(|word| word.contains('\0')));
    if command.is_none() {
        s.fault(key, "allowed is a list: the program's absolute path, then its arguments");
    }
    Some((command?, arguments))
}

/// Plain variables of the program's environment.
fn env(mut s: Section<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for key in s.keys() {
        let Some(value) = s.text(&key) else { continue };
        if is_variable(&key) && !value.contains('\0') {
            env.insert(key, value);
        } else {
            s.fault(&key, VARIABLE);
        }
    }
    s.finish();
    env
}

/// Variables whose values are never shown or kept; each has its twin `NAME_file`.
fn secrets(mut s: Section<'_>) -> BTreeMap<String, SecretString> {
    let keys = s.keys();
    let names: BTreeSet<&str> =
        keys.iter().map(|key| key.strip_suffix("_file").unwrap_or(key)).collect();
    let mut secrets = BTreeMap::new();
    for name in names {
        let Some(secret) = s.secret(name) else { continue };
        if is_variable(name) && !secret.expose_secret().contains('\0') {
            secrets.insert(name.to_owned(), secret);
        } else {
            s.fault_hidden(name, VARIABLE);
        }
    }
    s.finish();
    secrets
}

const VARIABLE: &str = "allowed is the name of a variable, such as \"API_KEY\", and its text";

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Where programs are, as for this one; nothing else of our environment is passed on.
fn path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// Writes, reads and waits, all at once: whoever waits for the other side waits for ever.
async fn converse(
    child: &mut Child,
    input: &str,
    written: &mut Vec<u8>,
    complaint: &mut Vec<u8>,
) -> Result<ExitStatus, String> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let tell = async {
        if let Some(mut stdin) = stdin {
            // A program that does not listen may answer all the same.
            stdin.write_all(input.as_bytes()).await.ok();
            stdin.write_all(b"\n").await.ok();
            stdin.shutdown().await.ok();
        }
        Ok(())
    };
    let hear = async {
        match stdout {
            Some(stdout) => read(stdout, written, OUTPUT_MAX, true).await,
            None => Ok(()),
        }
    };
    let mind = async {
        match stderr {
            Some(stderr) => read(stderr, complaint, COMPLAINT_MAX, false).await,
            None => Ok(()),
        }
    };
    tokio::try_join!(tell, hear, mind)?;
    child.wait().await.map_err(|error| format!("nobody knows how it ended ({error})"))
}

/// Reads to the end; what goes beyond `most` is an error, or is passed over.
async fn read(
    mut from: impl AsyncRead + Unpin,
    into: &mut Vec<u8>,
    most: usize,
    is_strict: bool,
) -> Result<(), String> {
    let mut part = vec![0_u8; 8192];
    loop {
        let read = from.read(&mut part).await;
        let count = read.map_err(|error| format!("its output breaks off ({error})"))?;
        if count == 0 {
            return Ok(());
        }
        let room = most.saturating_sub(into.len());
        into.extend(part.iter().take(count.min(room)));
        if count > room && is_strict {
            return Err(format!("its output is longer than {most} bytes"));
        }
    }
}

/// The process group of a program, which ends with this.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// It ended by itself and was waited for: its number may be somebody else's now.
    fn is_over(&mut self) {
        self.0 = None;
    }

    /// True where there was something to kill.
    fn kill(&mut self) -> bool {
        self.0.take().is_some_and(|group| kill_process_group(group, Signal::KILL).is_ok())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
