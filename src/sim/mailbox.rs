//! A mail server on loopback that keeps what it is given: the demo's mailbox, and in tests a
//! server that can be told to misbehave towards chosen addresses.

mod mime;
mod session;

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Mailbox {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    server: JoinHandle<()>,
}

/// One message whose body arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// Headers and body as they came, dots unstuffed.
    pub raw: String,
    /// What the server answered; `None` where it stayed silent or hung up.
    pub reply: Option<String>,
}

/// How the server behaves.
#[derive(Clone)]
pub struct Script {
    manner: Arc<dyn Fn(&str) -> Manner + Send + Sync>,
    sign_in: Option<SignIn>,
}

/// What a client must say before it may send.
#[derive(Clone)]
enum SignIn {
    /// A user and a password.
    Password(String, String),
    /// A user and an access token (XOAUTH2).
    Token(String, String),
}

/// How the server treats one address, as sender or as recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It takes everything.
    Accept,
    /// It refuses the address with this reply.
    RefuseAddress(String),
    /// It refuses the body with this reply.
    RefuseBody(String),
    /// It hangs up after the body.
    HangUp,
    /// It says nothing after the body.
    StaySilent,
}

impl Mailbox {
    /// A server that accepts everything, on a free port of 127.0.0.1.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(Script::default()).await
    }

    /// A server that follows `script`, on a free port of 127.0.0.1.
    pub async fn start_with(script: Script) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), script).await
    }

    /// A server that follows `script`, at `address`.
    pub async fn start_at(address: SocketAddr, script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shelf = Arc::new(Shelf::default());
        let server = tokio::spawn(serve(listener, script, Arc::clone(&shelf)));
        Ok(Self { address, shelf, server })
    }

    /// What to write in `[channels.NAME.email]`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Everything so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.shelf.mails.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until at least `n` messages have come.
    pub async fn wait_for(&self, n: usize) -> Vec<Mail> {
        let mut count = self.shelf.count.subscribe();
        // The sender lives in the shelf that `self` holds: waiting cannot fail.
        count.wait_for(|count| *count >= n).await.ok();
        self.mails()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Mail {
    /// A header's value, unfolded and decoded.
    pub fn header(&self, name: &str) -> Option<String> {
        mime::header(&self.raw, name)
    }

    /// The decoded body of the first part of type `media_type`, such as `text/plain`.
    pub fn part(&self, media_type: &str) -> Option<String> {
        mime::part(&self.raw, media_type)
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new(|_| Manner::Accept)
    }
}

impl Script {
    /// `manner` says how an address is treated.
    pub fn new(manner: impl Fn(&str) -> Manner + Send + Sync + 'static) -> Self {
        Self { manner: Arc::new(manner), sign_in: None }
    }

    /// Takes mail only from who signs in so.
    #[must_use]
    pub fn with_sign_in(self, user: &str, password: &str) -> Self {
        Self { sign_in: Some(SignIn::Password(user.to_owned(), password.to_owned())), ..self }
    }

    /// Takes mail only from who shows this access token.
    #[must_use]
    pub fn with_token(self, user: &str, token: &str) -> Self {
        Self { sign_in: Some(SignIn::Token(user.to_owned(), token.to_owned())), ..self }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

/// What came, and a bell.
#[derive(Debug, Default)]
struct Shelf {
    mails: RwLock<Vec<Mail>>,
    count: watch::Sender<usize>,
}

impl Shelf {
    /// A demo left running must not fill the memory.
    const MAILS_MAX: usize = 10_000;

    fn put(&self, mail: Mail) {
        let mut mails = self.mails.write().unwrap_or_else(PoisonError::into_inner);
        if mails.len() < Self::MAILS_MAX {
            mails.push(mail);
        }
        self.count.send_replace(mails.len());
    }
}

async fn serve(listener: TcpListener, script: Script, shelf: Arc<Shelf>) {
    // In a set, so that ending the server ends every conversation.
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            arrived = listener.accept() => {
                if let Ok((stream, _)) = arrived {
                    sessions.spawn(session::run(stream, script.clone(), Arc::clone(&shelf)));
                }
            }
            Some(ended) = sessions.join_next() => {
                if let Ok(Err(error)) = ended {
                    tracing::debug!(%error, "a mail client went away");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};

    /// Says all of `said` at once and returns everything answered until the server hangs up.
    async fn talk(mailbox: &Mailbox, said: &str) -> String {
        let mut stream = TcpStream::connect(mailbox.address).await.unwrap();
        stream.write_all(said.replace('\n', "\r\n").as_bytes()).await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        heard
    }

    #[tokio::test]
    async fn speaks_smtp_and_keeps_the_message() {
        let mailbox = Mailbox::start().await.unwrap();
        let heard = talk(
            &mailbox,
            "EHLO me\nMAIL FROM:<a@example.com> BODY=8BITMIME\nRCPT TO:<b@example.com>\nDATA\n\
             Subject: =?utf-8?b?5L2Z?=\n =?utf-8?q?=E9=A2=9D?= ok\n\n..dot\nend\n.\nQUIT\n",
        )
        .await;
        let codes: Vec<&str> = heard.lines().filter_map(|line| line.get(..4)).collect();
        assert_eq!(
            codes,
            ["220 ", "250-", "250-", "250 ", "250 ", "250 ", "354 ", "250 ", "221 "],
            "{heard}"
        );
        let mails = mailbox.wait_for(1).await;
        let mail = &mails[0];
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("a@example.com", &["b@example.com".to_owned()][..])
        );
        assert_eq!(mail.subject, "\u{4f59}\u{989d} ok");
        assert!(mail.raw.ends_with("\r\n\r\n.dot\r\nend\r\n"), "{:?}", mail.raw);
        assert!(mail.reply.as_deref().unwrap().starts_with("250"));
    }

    #[tokio::test]
    async fn refuses_commands_out_of_order() {
        let mailbox = Mailbox::start().await.unwrap();
        let heard = talk(&mailbox, "EHLO me\nRCPT TO:<b@example.com>\nDATA\nVRFY x\nQUIT\n").await;
        let codes: Vec<&str> = heard.lines().filter_map(|line| line.get(..3)).skip(4).collect();
        assert_eq!(codes, ["503", "503", "502", "221"], "{heard}");
        assert_eq!(mailbox.mails(), []);
    }
}
