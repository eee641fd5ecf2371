//! The SMTP conversation, step by step, because what a failure proves depends on the step.
//!
//! Until the first byte of the body leaves, every failure proves that nothing was accepted. After
//! it, only a reply code proves anything.

use super::compose::Letter;
use crate::channels::Outcome;
use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, DEFAULT_MECHANISMS, Mechanism},
    client::{AsyncSmtpConnection, TlsParameters},
    commands::{Data, Mail, Noop, Rcpt},
    extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    response::Response,
};
use std::{
    fmt, io,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// Not at all.
    Plain,
    /// By STARTTLS, or nothing is sent.
    Starttls,
    /// By STARTTLS where the server offers it.
    Opportunistic,
    /// By TLS from the first byte.
    Implicit,
}

/// How we say who we are.
#[derive(Clone)]
pub(super) enum SignIn {
    /// With a password.
    Password(Credentials),
    /// With an access token (XOAUTH2) that somebody else keeps fresh in a file.
    TokenFile {
        /// Whose token it is.
        user: String,
        /// Read for every try: tokens live for an hour or so.
        path: PathBuf,
    },
}

impl SignIn {
    /// What is said this time.
    async fn words(&self) -> Result<(&'static [Mechanism], Credentials), Outcome> {
        match self {
            Self::Password(credentials) => Ok((DEFAULT_MECHANISMS, credentials.clone())),
            Self::TokenFile { user, path } => {
                let found = tokio::fs::read_to_string(path).await;
                let token = found.map(|text| text.trim().to_owned()).map_err(|e| e.to_string());
                let token = token.and_then(|token| {
                    if token.is_empty() { Err("it is empty".to_owned()) } else { Ok(token) }
                });
                let token = token.map_err(|why| Outcome::BadConfig {
                    why: format!("the token file {} cannot be used ({why})", path.display()),
                })?;
                Ok((&[Mechanism::Xoauth2], Credentials::new(user.clone(), token)))
            }
        }
    }
}

/// The way to the server.
pub(super) struct Route {
    /// Its name or address.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// How the connection is protected.
    pub(super) security: Security,
    /// What is trusted; present unless plain.
    pub(super) tls: Option<TlsParameters>,
    /// Who we are, if the server asks.
    pub(super) sign_in: Option<SignIn>,
    /// The longest one try may take, from the look-up of the name to the last reply.
    pub(super) timeout: Duration,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, security, .. } = self;
        write!(f, "Route({host}:{port} {security:?})")
    }
}

impl Route {
    /// Hands `letter` over, once.
    pub(super) async fn deliver(&self, letter: &Letter) -> Outcome {
        let body_began = AtomicBool::new(false);
        // lettre's own time limit covers the TCP connect only.
        match timeout(self.timeout, Box::pin(self.converse(letter, &body_began))).await {
            Ok((outcome, connection)) => {
                if let Some(connection) = connection {
                    say_goodbye(connection).await;
                }
                outcome
            }
            Err(_) if body_began.load(Ordering::SeqCst) => Outcome::Ambiguous {
                why: format!("no reply within {:?}, after the message was sent", self.timeout),
            },
            Err(_) => Outcome::Retry {
                after: None,
                why: format!("no reply within {:?}, before the message was sent", self.timeout),
            },
        }
    }

    /// Connects, encrypts and signs in as a delivery would, and sends nothing.
    pub(super) async fn test(&self) -> Result<String, String> {
        let attempt = async {
            let mut connection = self.connect().await.map_err(why)?;
            connection.command(Noop).await.map_err(|error| said(&error))?;
            Ok::<_, String>(connection)
        };
        let connection = timeout(self.timeout, Box::pin(attempt))
            .await
            .map_err(|_| {
                format!("{}:{}: no reply within {:?}", self.host, self.port, self.timeout)
            })?
            .map_err(|why| format!("{}:{}: {why}", self.host, self.port))?;
        let encrypted = if connection.is_encrypted() { "encrypted" } else { "not encrypted" };
        let signed_in = if self.sign_in.is_some() { "signed in" } else { "no sign-in" };
        say_goodbye(connection).await;
        Ok(format!("{}:{} answers; {encrypted}, {signed_in}", self.host, self.port))
    }

    async fn converse(
        &self,
        letter: &Letter,
        body_began: &AtomicBool,
    ) -> (Outcome, Option<AsyncSmtpConnection>) {
        match self.connect().await {
            Ok(mut connection) => {
                let outcome = hand_over(&mut connection, letter, body_began).await;
                (outcome, Some(connection))
            }
            Err(outcome) => (outcome, None),
        }
    }

    /// Connects, encrypts and signs in. `Err` is what follows from a failure.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Outcome> {
        let words = match &self.sign_in {
            Some(sign_in) => Some(sign_in.words().await?),
            None => None,
        };
        let failed = |error: Error| classify(Step::Connect, &error);
        let name = ClientId::default();
        let mut connection = match self.security {
            // The library takes no connection of ours under its TLS, so this one has those 40 ms.
            Security::Implicit => {
                let (server, limit) = ((self.host.as_str(), self.port), Some(self.timeout));
                let tls = self.tls.clone();
                AsyncSmtpConnection::connect_tokio1(server, limit, &name, tls, None).await
            }
            Security::Plain | Security::Starttls | Security::Opportunistic => {
                let stream = self.reach().await.map_err(|error| Outcome::Retry {
                    after: None,
                    why: format!("no connection: {error}"),
                })?;
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), &name).await
            }
        }
        .map_err(failed)?;
        let upgrade = match self.security {
            Security::Starttls => true,
            Security::Opportunistic => connection.can_starttls(),
            Security::Plain | Security::Implicit => false,
        };
        if let Some(tls) = self.tls.clone().filter(|_| upgrade) {
            connection.starttls(tls, &name).await.map_err(failed)?;
        }
        if let Some((mechanisms, credentials)) = words {
            connection.auth(mechanisms, &credentials).await.map_err(failed)?;
        }
        Ok(connection)
    }

    /// A connection that sends at once what it is given. The end of a message is a small write after a
    /// large one: held back until the first is acknowledged (RFC 896), which the other side puts off
    /// (RFC 1122, 4.2.3.2), it costs 40 ms.
    async fn reach(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// How far the conversation had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connect,
    Sender,
    Recipient,
    Data,
    Body,
}

async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    letter: &Letter,
    body_began: &AtomicBool,
) -> Outcome {
    let parameters = match parameters(connection, letter) {
        Ok(parameters) => parameters,
        Err(outcome) => return outcome,
    };
    let sender = Mail::new(Some(letter.from.clone()), parameters);
    if let Err(error) = connection.command(sender).await {
        return classify(Step::Sender, &error);
    }
    if let Err(error) = connection.command(Rcpt::new(letter.to.clone(), vec![])).await {
        return classify(Step::Recipient, &error);
    }
    match connection.command(Data).await {
        Ok(reply) if reply.has_code(354) => {}
        Ok(reply) => {
            return Outcome::Retry {
                after: None,
                why: format!("DATA was answered {}", reply.code()),
            };
        }
        Err(error) => return classify(Step::Data, &error),
    }
    body_began.store(true, Ordering::SeqCst);
    match connection.message(&letter.bytes).await {
        Ok(reply) if reply.has_code(250) => Outcome::Accepted { vendor_id: queue_id(&reply) },
        // Any other success is the reply to something else.
        Ok(reply) => {
            Outcome::Ambiguous { why: format!("the message was answered {}", reply.code()) }
        }
        Err(error) => classify(Step::Body, &error),
    }
}

/// What the server must support for this letter.
fn parameters(
    connection: &AsyncSmtpConnection,
    letter: &Letter,
) -> Result<Vec<MailParameter>, Outcome> {
    let supports = |feature| connection.server_info().supports_feature(feature);
    let ascii = |address: &lettre::Address| AsRef::<str>::as_ref(address).is_ascii();
    let mut parameters = Vec::new();
    if !ascii(&letter.from) || !ascii(&letter.to) {
        if !supports(Extension::SmtpUtfEight) {
            let why = "the address is not ASCII and the server does not offer SMTPUTF8".to_owned();
            let ours = !ascii(&letter.from);
            return Err(if ours {
                Outcome::BadConfig { why }
            } else {
                Outcome::BadRecipient { why }
            });
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !letter.bytes.is_ascii() {
        if !supports(Extension::EightBitMime) {
            let why = "the message is not ASCII and the server does not offer 8BITMIME".to_owned();
            return Err(Outcome::BadConfig { why });
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

/// Sorts a failure by what may follow it.
fn classify(step: Step, error: &Error) -> Outcome {
    let why = said(error);
    let Some(code) = error.status() else {
        return match step {
            Step::Body => Outcome::Ambiguous { why },
            // No common way to sign in, STARTTLS not offered, a certificate nobody vouches for.
            Step::Connect if error.is_client() || is_certificate(error) => {
                Outcome::BadConfig { why }
            }
            Step::Connect | Step::Sender | Step::Recipient | Step::Data => {
                Outcome::Retry { after: None, why }
            }
        };
    };
    // "Sign in first" may come at any step.
    let wants_sign_in = matches!(u16::from(code), 503 | 530 | 534 | 535 | 538);
    match step {
        _ if error.is_transient() => Outcome::Retry { after: None, why },
        Step::Connect | Step::Sender => Outcome::BadConfig { why },
        Step::Recipient | Step::Data | Step::Body if wants_sign_in => Outcome::BadConfig { why },
        Step::Recipient | Step::Data | Step::Body => Outcome::BadRecipient { why },
    }
}

/// lettre reports a refused certificate as a connection error: only the chain of causes tells.
fn is_certificate(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = cause {
        let inner = found.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = found
            .downcast_ref::<rustls::Error>()
            .or_else(|| inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()));
        if let Some(tls) = tls {
            use rustls::Error as Tls;
            return matches!(
                tls,
                Tls::InvalidCertificate(_)
                    | Tls::InvalidCertRevocationList(_)
                    | Tls::NoCertificatesPresented
                    | Tls::UnsupportedNameType
                    | Tls::PeerIncompatible(_)
                    | Tls::InvalidMessage(_)
            );
        }
        cause = found.source();
    }
    false
}

/// Why nothing could be begun, in words.
fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::Accepted { .. } => String::new(),
        Outcome::Retry { why, .. }
        | Outcome::Ambiguous { why }
        | Outcome::BadRecipient { why }
        | Outcome::BadConfig { why } => why,
    }
}

/// The error in one short line.
fn said(error: &Error) -> String {
    let line: String =
        error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.chars().take(200).collect()
}

/// `2.0.0 Ok: queued as 4F2A` → `4F2A`; without those words the whole line.
fn queue_id(reply: &Response) -> Option<String> {
    let line = reply.first_line()?.trim();
    let id = line.split_once("queued as ").map_or(line, |(_, id)| id);
    let id: String = id.chars().filter(|c| !c.is_control()).take(100).collect();
    (!id.is_empty()).then_some(id)
}

/// QUIT, out of politeness: the outcome is known, so nothing here may change or delay it much.
async fn say_goodbye(mut connection: AsyncSmtpConnection) {
    timeout(Duration::from_secs(1), connection.quit()).await.ok();
}
