//! TLS: from the first byte, by STARTTLS, and refused. The certificates beside this file are for
//! localhost, made by an authority that exists nowhere else.

use super::Config;
use crate::{
    channels::{
        Channel, Outcome,
        testing::{message, reader},
    },
    input::{Intake, Origin, Section, from_toml},
};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

const CA_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/channels/email/tls_tests/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("tls_tests/cert.pem");
const KEY: &[u8] = include_bytes!("tls_tests/key.pem");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Implicit,
    Starttls,
    Never,
}

/// A server for as many clients as come; its thread ends with the test process.
fn server(kind: Kind) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            thread::spawn(move || serve(stream, &config, kind));
        }
    });
    port
}

fn serve(mut stream: TcpStream, config: &Arc<ServerConfig>, kind: Kind) {
    let encrypted =
        |stream| StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream);
    if kind == Kind::Implicit {
        talk(&mut encrypted(stream), true, "250 8BITMIME");
        return;
    }
    let offer = if kind == Kind::Starttls { "250 STARTTLS" } else { "250 8BITMIME" };
    if talk(&mut stream, true, offer) {
        talk(&mut encrypted(stream), false, "250 8BITMIME");
    }
}

/// Speaks until the client leaves; true when it wants TLS now.
fn talk(stream: &mut (impl Read + Write), greet: bool, offer: &str) -> bool {
    let mut stream = BufReader::new(stream);
    let mut body = false;
    let mut reply = if greet { "220 localhost" } else { "" }.to_owned();
    loop {
        if !reply.is_empty() && write!(stream.get_mut(), "{reply}\r\n").is_err() {
            return false;
        }
        let mut line = String::new();
        if !stream.read_line(&mut line).is_ok_and(|n| n > 0) {
            return false;
        }
        let verb = line.split_whitespace().next().unwrap_or_default();
        reply = match verb {
            "." if body => "250 2.0.0 Ok: queued as TLS1",
            _ if body => "",
            "EHLO" => offer,
            "STARTTLS" => {
                write!(stream.get_mut(), "220 go\r\n").unwrap();
                return true;
            }
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 OK",
        }
        .to_owned();
        if verb == "EHLO" {
            reply = format!("250-localhost\r\n{reply}");
        }
        body = (body || verb == "DATA") && verb != ".";
    }
}

fn channel(url: &str, trusted: bool) -> Arc<dyn Channel> {
    let ca = if trusted { format!("ca_file = {CA_FILE:?}") } else { String::new() };
    let text = format!("url = {url:?}\nfrom = \"topupd@example.com\"\n{ca}");
    let table = from_toml("a.toml", &text).unwrap();
    let intake = Intake::new();
    let section = Section::new(&table, "channels.mail.email", &Origin::file("a.toml"), &intake);
    let config = Config::read(section);
    assert!(config.is_some(), "{:?}", intake.into_faults());
    config.unwrap().build("mail").unwrap()
}

async fn send(channel: &dyn Channel) -> Outcome {
    channel.send(&message(), &reader()).await
}

#[tokio::test]
async fn both_ways_into_tls_work_with_a_certificate_that_is_trusted() {
    for (kind, url) in [
        (Kind::Implicit, "smtps://localhost:PORT"),
        (Kind::Starttls, "smtp://127.0.0.1:PORT?tls=required"),
    ] {
        let url = url.replace("PORT", &server(kind).to_string());
        let channel = channel(&url, true);
        let outcome = send(&*channel).await;
        assert_eq!(outcome, Outcome::Accepted { vendor_id: Some("TLS1".into()) }, "{url}");
        let tested = channel.test().await.unwrap();
        assert!(tested.contains("; encrypted, no sign-in"), "{tested}");
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_a_matter_of_configuration() {
    for (kind, url) in [
        (Kind::Implicit, "smtps://localhost:PORT"),
        (Kind::Starttls, "smtp://localhost:PORT?tls=required"),
    ] {
        let url = url.replace("PORT", &server(kind).to_string());
        let outcome = send(&*channel(&url, false)).await;
        assert!(
            matches!(&outcome, Outcome::BadConfig { why } if why.contains("certificate")),
            "{url}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn starttls_that_is_required_and_not_offered_sends_nothing() {
    let url = format!("smtp://localhost:{}?tls=required", server(Kind::Never));
    let outcome = send(&*channel(&url, true)).await;
    assert!(
        matches!(&outcome, Outcome::BadConfig { why } if why.contains("STARTTLS")),
        "{outcome:?}"
    );
}
