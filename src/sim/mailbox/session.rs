//! One client's conversation (RFC 5321, as much of it as a submitting client needs).

use super::{Mail, Manner, Script, Shelf, SignIn, mime};
use data_encoding::BASE64;
use std::{future::pending, io, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

const LINE_MAX: u64 = 64 * 1024;
const BODY_MAX: usize = 1024 * 1024;

/// Talks until the client leaves.
pub(super) async fn run(stream: TcpStream, script: Script, shelf: Arc<Shelf>) -> io::Result<()> {
    let stream = BufReader::new(stream);
    let signed_in = script.sign_in.is_none();
    let mut session = Session { stream, script, shelf, signed_in, from: None, to: Vec::new() };
    session.talk().await
}

struct Session {
    stream: BufReader<TcpStream>,
    script: Script,
    shelf: Arc<Shelf>,
    signed_in: bool,
    from: Option<String>,
    to: Vec<(String, Manner)>,
}

impl Session {
    async fn talk(&mut self) -> io::Result<()> {
        self.say("220 mailbox.invalid ESMTP").await?;
        while let Some(line) = self.hear().await? {
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let reply = match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.greet(),
                "HELO" | "NOOP" => "250 OK".to_owned(),
                "AUTH" => self.sign_in(rest),
                "MAIL" => self.sender(rest),
                "RCPT" => self.recipient(rest),
                "DATA" if self.to.is_empty() => "503 5.5.1 RCPT first".to_owned(),
                "DATA" => match self.data().await? {
                    Some(reply) => reply,
                    None => return Ok(()),
                },
                "RSET" => {
                    self.reset();
                    "250 OK".to_owned()
                }
                "QUIT" => return self.say("221 2.0.0 bye").await,
                _ => "502 5.5.2 not known here".to_owned(),
            };
            self.say(&reply).await?;
        }
        Ok(())
    }

    fn greet(&self) -> String {
        let sign_in = match self.script.sign_in {
            Some(SignIn::Password(..)) => "250-AUTH PLAIN\r\n",
            Some(SignIn::Token(..)) => "250-AUTH XOAUTH2\r\n",
            None => "",
        };
        format!("250-mailbox.invalid\r\n{sign_in}250-8BITMIME\r\n250 SMTPUTF8")
    }

    fn sign_in(&mut self, rest: &str) -> String {
        let (wanted, refusal) = match &self.script.sign_in {
            None => return "502 5.5.1 no sign-in here".to_owned(),
            Some(SignIn::Password(user, password)) => {
                let wanted = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
                (format!("PLAIN {wanted}"), "535 5.7.8 not you".to_owned())
            }
            Some(SignIn::Token(user, token)) => {
                let wanted = format!("user={user}\x01auth=Bearer {token}\x01\x01");
                let wanted = BASE64.encode(wanted.as_bytes());
                (format!("XOAUTH2 {wanted}"), format!("334 {}", BASE64.encode(b"{}")))
            }
        };
        self.signed_in = rest == wanted;
        if self.signed_in { "235 2.7.0 welcome".to_owned() } else { refusal }
    }

    fn sender(&mut self, rest: &str) -> String {
        if !self.signed_in {
            return "530 5.7.0 sign in first".to_owned();
        }
        let address = path(rest);
        if let Manner::RefuseAddress(reply) = (self.script.manner)(&address) {
            return reply;
        }
        self.reset();
        self.from = Some(address);
        "250 2.1.0 OK".to_owned()
    }

    fn recipient(&mut self, rest: &str) -> String {
        if self.from.is_none() {
            return "503 5.5.1 MAIL first".to_owned();
        }
        let address = path(rest);
        let manner = (self.script.manner)(&address);
        if let Manner::RefuseAddress(reply) = manner {
            return reply;
        }
        self.to.push((address, manner));
        "250 2.1.5 OK".to_owned()
    }

    /// The reply to the body; `None` hangs up.
    async fn data(&mut self) -> io::Result<Option<String>> {
        self.say("354 go on").await?;
        let mut raw = String::new();
        loop {
            let Some(line) = self.hear().await? else {
                return Ok(None);
            };
            if line == "." {
                break;
            }
            raw.push_str(line.strip_prefix('.').unwrap_or(&line));
            raw.push_str("\r\n");
            if raw.len() > BODY_MAX {
                return Ok(Some("552 5.3.4 too long".to_owned()));
            }
        }
        let (to, manners): (Vec<_>, Vec<_>) = std::mem::take(&mut self.to).into_iter().unzip();
        let manner = manners.into_iter().find(|m| *m != Manner::Accept).unwrap_or(Manner::Accept);
        let accepted =
            || format!("250 2.0.0 Ok: queued as M{}", self.shelf.count.borrow().saturating_add(1));
        let reply = match &manner {
            Manner::Accept | Manner::RefuseAddress(_) => Some(accepted()),
            Manner::RefuseBody(reply) => Some(reply.clone()),
            Manner::HangUp | Manner::StaySilent => None,
        };
        let subject = mime::header(&raw, "Subject").unwrap_or_default();
        let from = self.from.take().unwrap_or_default();
        self.shelf.put(Mail { from, to, subject, raw, reply: reply.clone() });
        if manner == Manner::StaySilent {
            pending::<()>().await;
        }
        Ok(reply)
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    /// The next line without its end; `None` when the client has gone or talks nonsense.
    async fn hear(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_MAX).read_until(b'\n', &mut line).await?;
        let Some(line) = line.strip_suffix(b"\n") else {
            return Ok(None);
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some(String::from_utf8_lossy(line).into_owned()))
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }
}

/// `FROM:<a@example.com> SIZE=1` → `a@example.com`.
fn path(rest: &str) -> String {
    let inner = rest.split_once('<').and_then(|(_, tail)| tail.split_once('>'));
    inner.map_or("", |(address, _)| address).to_owned()
}
