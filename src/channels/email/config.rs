//! `[channels.NAME.email]`: read once, checked completely, then trusted.

use super::{
    Email, Way,
    compose::Sender,
    conversation::{Route, Security, SignIn},
    sendmail::Sendmail,
};
use crate::{
    channels::{Channel, Needs},
    domain::Span,
    input::{Fault, Section},
    transport::program::Program,
};
use lettre::{
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, TlsParameters},
    },
};
use secrecy::{ExposeSecret, SecretString};
use std::{fmt, net::IpAddr, path::PathBuf, sync::Arc};
use url::{Host, Url};

const URL: &str = "allowed is smtp://HOST[:PORT] (plain), smtp://HOST[:PORT]?tls=required (STARTTLS) \
                   or smtps://HOST[:PORT] (TLS from the start)";
const ADDRESS: &str = "allowed is an address such as \"topupd <topupd@example.com>\"";
/// What is said of a server.
const SERVER_KEYS: [&str; 8] = [
    "url",
    "url_file",
    "insecure",
    "user",
    "password",
    "password_file",
    "xoauth2_token_file",
    "ca_file",
];
const TIMEOUT: &str = "allowed is a span above zero and up to 10m";

/// What is written in `[channels.NAME.email]`.
#[derive(Clone, Debug)]
pub struct Config {
    way: Means,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    timeout: Span,
}

/// How letters leave.
#[derive(Clone, Debug)]
enum Means {
    Server(Box<Submission>),
    Program(Program),
}

/// The server that takes them.
#[derive(Clone)]
struct Submission {
    server: Server,
    sign_in: Option<Known>,
    ca: Option<Vec<u8>>,
}

/// Who we are there.
#[derive(Clone)]
enum Known {
    Password(String, SecretString),
    TokenFile(String, PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    host: String,
    port: u16,
    security: Security,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let way = if section.has("sendmail") {
            read_program(&mut section)
        } else {
            section.value("sendmail");
            Submission::read(&mut section).map(|server| Means::Server(Box::new(server)))
        };
        let from =
            section.required("from", ADDRESS).and_then(|text| address(&section, "from", &text));
        let reply_to = match section.text("reply_to") {
            Some(text) => address(&section, "reply_to", &text).map(Some),
            None => (!section.has("reply_to")).then_some(None),
        };
        let timeout = read_timeout(&mut section);
        section.finish();
        Some(Self { way: way?, from: from?, reply_to: reply_to?, timeout: timeout? })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        Needs::Email
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        let way = match &self.way {
            Means::Server(server) => {
                let route = server.route(self.timeout).map_err(|error| Fault {
                    file: "the configuration".to_owned(),
                    line: None,
                    key: format!("channels.{name}.email.ca_file"),
                    found: error,
                    allowed: "allowed are X.509 certificates in PEM form".to_owned(),
                })?;
                Way::Server(route)
            }
            Means::Program(program) => {
                Way::Program(Sendmail { program: program.clone(), timeout: self.timeout })
            }
        };
        let sender = Sender { from: self.from.clone(), reply_to: self.reply_to.clone() };
        Ok(Arc::new(Email { sender, way }))
    }
}

impl Submission {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let insecure = section.boolean("insecure").unwrap_or(false);
        let written = section.secret("url");
        if written.is_none() && !section.has("url") && !section.has("url_file") {
            section.fault_hidden("url", format!("{URL}; or write `sendmail` instead"));
        }
        let url = written.and_then(|url| {
            parse_url(url.expose_secret(), insecure)
                .map_err(|allowed| section.fault_hidden("url", allowed))
                .ok()
        });
        let ca = read_ca(section);
        let own = read_sign_in(section);
        let (server, in_url) = url?;
        let sign_in = match (in_url, own?) {
            (Some(_), Some(_)) => {
                section.fault("user", "allowed is either `user` or credentials in `url`");
                return None;
            }
            (in_url, own) => in_url.map(|(user, password)| Known::Password(user, password)).or(own),
        };
        if sign_in.is_some() && server.would_show_secrets() && !insecure {
            let allowed = "credentials over an unencrypted connection need `insecure = true`; \
                           better is ?tls=required or smtps://";
            section.fault_hidden("url", allowed);
            return None;
        }
        let ca = ca?;
        if ca.is_some() && server.security == Security::Plain {
            section.fault("ca_file", "allowed only with ?tls=required or smtps://");
            return None;
        }
        Some(Self { server, sign_in, ca })
    }

    fn route(&self, timeout: Span) -> Result<Route, String> {
        Ok(Route {
            host: self.server.host.clone(),
            port: self.server.port,
            security: self.server.security,
            tls: self.tls()?,
            sign_in: self.sign_in.clone().map(|known| match known {
                Known::Password(user, password) => {
                    SignIn::Password(Credentials::new(user, password.expose_secret().to_owned()))
                }
                Known::TokenFile(user, path) => SignIn::TokenFile { user, path },
            }),
            timeout: timeout.to_std(),
        })
    }

    fn tls(&self) -> Result<Option<TlsParameters>, String> {
        if self.server.security == Security::Plain {
            return Ok(None);
        }
        let mut builder = TlsParameters::builder(self.server.host.clone());
        if let Some(pem) = &self.ca {
            let certificate = Certificate::from_pem(pem).map_err(|error| error.to_string())?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map(Some).map_err(|error| error.to_string())
    }
}

/// Shows everything but the password.
impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission")
            .field("server", &self.server)
            .field("sign_in", &self.sign_in.as_ref().map(|_| "<secret>"))
            .field("ca", &self.ca.as_ref().map(Vec::len))
            .finish()
    }
}

impl Server {
    /// True where a password would cross a network readable (or a man in the middle could make it).
    fn would_show_secrets(&self) -> bool {
        let local = self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        !local && matches!(self.security, Security::Plain | Security::Opportunistic)
    }
}

fn read_timeout(section: &mut Section<'_>) -> Option<Span> {
    if !section.has("timeout") {
        section.value("timeout");
        return Some(Span::minutes(1));
    }
    let timeout = section.span("timeout")?;
    if timeout <= Span::ZERO || timeout > Span::minutes(10) {
        section.fault("timeout", TIMEOUT);
        return None;
    }
    Some(timeout)
}

fn address(section: &Section<'_>, key: &str, text: &str) -> Option<Mailbox> {
    text.parse().map_err(|_| section.fault(key, ADDRESS)).ok()
}

/// `Some(None)`: none written; `None`: wrong, and reported.
fn read_ca(section: &mut Section<'_>) -> Option<Option<Vec<u8>>> {
    let Some(path) = section.text("ca_file") else {
        return (!section.has("ca_file")).then_some(None);
    };
    let pem = std::fs::read(path)
        .map_err(|error| section.fault("ca_file", format!("allowed is a readable file ({error})")))
        .ok()?;
    let found = String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----");
    if !found || Certificate::from_pem(&pem).is_err() {
        section.fault("ca_file", "allowed is a file with X.509 certificates in PEM form");
        return None;
    }
    Some(Some(pem))
}

/// `sendmail = ["/usr/sbin/sendmail", "-t", "-i"]`: then nothing of a server is allowed.
fn read_program(section: &mut Section<'_>) -> Option<Means> {
    let program = Program::bare(section, "sendmail");
    let mut alone = true;
    for key in SERVER_KEYS {
        section.value(key);
        if section.has(key) {
            section.fault_hidden(key, "allowed is either `sendmail` or a server in `url`");
            alone = false;
        }
    }
    program.filter(|_| alone).map(Means::Program)
}

/// `Some(None)`: none written; `None`: half written, and reported.
fn read_sign_in(section: &mut Section<'_>) -> Option<Option<Known>> {
    let (user, password) = (section.text("user"), section.secret("password"));
    let allowed = "allowed is the absolute path of a file with an access token in it";
    let token = section.parsed("xoauth2_token_file", allowed, |path| {
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    if token.is_none() && section.has("xoauth2_token_file") {
        return None;
    }
    match (user, password, token) {
        (Some(user), Some(password), None) => Some(Some(Known::Password(user, password))),
        (Some(user), None, Some(path)) => Some(Some(Known::TokenFile(user, path))),
        (_, Some(_), Some(_)) => {
            let allowed = "allowed is either `password` or `xoauth2_token_file`";
            section.fault("xoauth2_token_file", allowed);
            None
        }
        (None, None, None) => (!section.has("user")).then_some(None),
        (Some(_), None, None) => {
            if !section.has("password") && !section.has("password_file") {
                let allowed = "`user` needs `password`, `password_file` or `xoauth2_token_file`";
                section.fault_hidden("password", allowed);
            }
            None
        }
        (None, Some(_), None) => {
            section.fault("user", "`password` needs `user`");
            None
        }
        (None, None, Some(_)) => {
            section.fault("user", "`xoauth2_token_file` needs `user`");
            None
        }
    }
}

type FromUrl = (Server, Option<(String, SecretString)>);

/// Takes the URL apart; the error says what is allowed and never repeats the URL.
fn parse_url(text: &str, insecure: bool) -> Result<FromUrl, String> {
    let url = Url::parse(text.trim()).map_err(|_| URL.to_owned())?;
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
        Some(Host::Domain(_)) | None => return Err(URL.to_owned()),
    };
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let tls = match query.as_slice() {
        [] => None,
        [(key, value)] if key == "tls" => Some(value.as_str()),
        _ => return Err(URL.to_owned()),
    };
    let (security, port) = match (url.scheme(), tls) {
        ("smtp", None) => (Security::Plain, 25),
        ("smtp", Some("required")) => (Security::Starttls, 587),
        ("smtp", Some("opportunistic")) if insecure => (Security::Opportunistic, 587),
        ("smtp", Some("opportunistic")) => {
            return Err(
                "?tls=opportunistic needs `insecure = true`; better is ?tls=required".into()
            );
        }
        ("smtps", None) => (Security::Implicit, 465),
        _ => return Err(URL.to_owned()),
    };
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err(URL.to_owned());
    }
    let server = Server { host, port: url.port().unwrap_or(port), security };
    Ok((server, credentials(&url)?))
}

fn credentials(url: &Url) -> Result<Option<(String, SecretString)>, String> {
    let both = || "allowed in `url` are USER:PASSWORD@, percent-encoded, or neither".to_owned();
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err(both()),
        (user, Some(password)) => {
            let user = percent_decode(user).ok_or_else(both)?;
            let password = percent_decode(password).ok_or_else(both)?;
            Ok(Some((user, SecretString::from(password))))
        }
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let pair = [bytes.next()?, bytes.next()?];
            out.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(&pair).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
