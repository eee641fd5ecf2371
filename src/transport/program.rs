//! One run of the program: its input, its output, its end, within a time limit.
//!
//! Invariant: a run ends with the whole process group; nothing that it started goes on paying after
//! we gave it up. `NotStarted` is the only proof that nothing was done.

use super::redact;
use crate::domain::Span;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    collections::BTreeMap, ffi::OsString, os::unix::process::CommandExt as _, process::Stdio,
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

impl Program {
    /// Gives it `input`, waits until it has ended and closed its output, and gives back what it
    /// wrote, if it ended with 0.
    pub(crate) async fn run(&self, input: &str, limit: Span) -> Result<String, RunError> {
        let mut child = self.command().spawn().map_err(|error| {
            RunError::NotStarted(format!("{} cannot be started ({error})", self.command))
        })?;
        let mut group = Group::of(&child);
        let (mut written, mut complaint) = (Vec::new(), Vec::new());
        let work = converse(&mut child, input, &mut written, &mut complaint);
        let ended = tokio::time::timeout(limit.to_std(), work).await;
        let (why, is_garbled) = match ended {
            Ok(Ok(status)) if status.success() => {
                group.is_over();
                return match String::from_utf8(written) {
                    Ok(output) => Ok(output),
                    Err(error) => {
                        let output = String::from_utf8_lossy(error.as_bytes()).into_owned();
                        let why = "its output is not UTF-8".to_owned();
                        Err(RunError::Lost { why, output, is_garbled: true })
                    }
                };
            }
            Ok(Ok(status)) => {
                group.is_over();
                let said = self.clean(&String::from_utf8_lossy(&complaint));
                let said: String = said.trim().chars().take(200).collect();
                let said = if said.is_empty() { said } else { format!(": {said}") };
                (format!("it ended with {status}{said}"), false)
            }
            Ok(Err(why)) => (why, true),
            Err(_) => (format!("it did not end within {limit}"), false),
        };
        if group.kill() {
            // Buries it; nobody waits for it otherwise.
            drop(tokio::time::timeout(BURIAL.to_std(), child.wait()).await);
        }
        let output = String::from_utf8_lossy(&written).into_owned();
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
) -> Result<std::process::ExitStatus, String> {
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
