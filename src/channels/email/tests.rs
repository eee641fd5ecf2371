//! Against a real SMTP conversation with a server that follows a script.

use super::{
    Email, Way,
    compose::Sender,
    conversation::{Route, Security, SignIn},
    sendmail::Sendmail,
};
use crate::{
    channels::{
        Channel, Outcome, Recipient,
        testing::{message, reader},
    },
    domain::Span,
    sim::mailbox::{Mailbox, Manner, Script},
    transport::program::Program,
};
use lettre::transport::smtp::authentication::Credentials;
use std::time::Duration;
use tokio::net::TcpListener;

/// Long enough that a busy machine gets through a conversation on loopback.
const PATIENT: Duration = Duration::from_secs(60);
/// As short as a test that must wait for it can bear; a connect on loopback fits easily.
const IMPATIENT: Duration = Duration::from_secs(2);

fn port(mailbox: &Mailbox) -> u16 {
    mailbox.url().rsplit_once(':').unwrap().1.parse().unwrap()
}

fn email(port: u16, timeout: Duration) -> Email {
    Email {
        sender: Sender {
            from: "topupd <topupd@example.com>".parse().unwrap(),
            reply_to: Some("help@example.com".parse().unwrap()),
        },
        way: Way::Server(Route {
            host: "127.0.0.1".to_owned(),
            port,
            security: Security::Plain,
            tls: None,
            sign_in: None,
            timeout,
        }),
    }
}

impl Email {
    fn route(&mut self) -> &mut Route {
        let Way::Server(route) = &mut self.way else { panic!("not by a server") };
        route
    }

    /// Signs in from now on.
    fn sign_in(&mut self, user: &str, password: &str) {
        let credentials = Credentials::new(user.to_owned(), password.to_owned());
        self.route().sign_in = Some(SignIn::Password(credentials));
    }
}

fn to(email: &str) -> Recipient {
    Recipient { email: Some(email.to_owned()), ..reader() }
}

/// Behaves by the local part: `rcpt451@…`, `data554@…`, `drop@…`, `silent@…`.
fn script() -> Script {
    Script::new(|address| {
        let local = address.split('@').next().unwrap();
        match local.split_at(local.len().min(4)) {
            ("rcpt", code) => Manner::RefuseAddress(format!("{code} scripted")),
            ("data", code) => Manner::RefuseBody(format!("{code} scripted")),
            ("drop", _) => Manner::HangUp,
            ("sile", _) => Manner::StaySilent,
            _ => Manner::Accept,
        }
    })
}

#[tokio::test]
async fn a_letter_arrives_once_with_the_right_headers() {
    let mailbox = Mailbox::start().await.unwrap();
    let outcome = email(port(&mailbox), PATIENT).send(&message(), &to("li@example.com")).await;
    assert_eq!(outcome, Outcome::Accepted { vendor_id: Some("M1".to_owned()) });
    let mails = mailbox.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(
        (mail.from.as_str(), mail.to.join(",")),
        ("topupd@example.com", "li@example.com".to_owned())
    );
    assert_eq!(mail.subject, message().subject);
    for (name, value) in [
        ("From", "topupd <topupd@example.com>"),
        ("To", "\"Li Wei\" <li@example.com>"),
        ("Reply-To", "help@example.com"),
        ("Date", "Fri, 20 Nov 2026 18:04:05 +0000"),
        ("References", "<li-tmobile.balance.line@example.com>"),
        ("In-Reply-To", "<li-tmobile.balance.line@example.com>"),
        ("Auto-Submitted", "auto-generated"),
        ("List-Unsubscribe", "<mailto:help@example.com?subject=unsubscribe>"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(mail.header(name).as_deref(), Some(value), "{name}");
    }
    // The first 8 digits of SHA-256("li@example.com").
    assert_eq!(mail.header("Message-ID").as_deref(), Some("<n-42.b9b55f36@example.com>"));
    assert!(mail.header("Content-Type").unwrap().starts_with("multipart/alternative"));
    assert_eq!(mail.part("text/plain").as_deref(), Some(message().text.as_str()));
    assert_eq!(mail.part("text/html").as_deref(), Some(message().html.as_str()));
}

#[tokio::test]
async fn a_second_try_is_the_same_message_to_the_byte_and_another_reader_s_is_not() {
    let mailbox = Mailbox::start().await.unwrap();
    let email = email(port(&mailbox), PATIENT);
    for address in ["li@example.com", "Li@example.com", "wang@example.com"] {
        email.send(&message(), &to(address)).await;
    }
    let mails = mailbox.mails();
    let id = |n: usize| mails[n].header("Message-ID").unwrap();
    assert_eq!(mails[0].raw.replace("li@", "Li@"), mails[1].raw);
    assert_eq!(id(0), id(1));
    assert_ne!(id(0), id(2));
}

#[tokio::test]
async fn every_reply_is_sorted_by_what_may_follow() {
    let mailbox = Mailbox::start_with(script()).await.unwrap();
    let email = email(port(&mailbox), PATIENT);
    for (address, expected) in [
        ("rcpt451", "retry 451"),
        ("rcpt421", "retry 421"),
        ("data452", "retry 452"),
        ("rcpt550", "bad recipient 550"),
        ("data554", "bad recipient 554"),
        ("rcpt530", "bad config 530"),
        ("data354", "ambiguous 354"),
        ("data251", "ambiguous 251"),
        ("drop", "ambiguous incomplete response"),
        ("fine", "accepted"),
    ] {
        let outcome = email.send(&message(), &to(&format!("{address}@example.com"))).await;
        let (kind, why) = match outcome {
            Outcome::Accepted { .. } => ("accepted", String::new()),
            Outcome::Retry { after: None, why } => ("retry", why),
            Outcome::Retry { after: Some(_), .. } => panic!("nobody named a time"),
            Outcome::Ambiguous { why } => ("ambiguous", why),
            Outcome::BadRecipient { why } => ("bad recipient", why),
            Outcome::BadConfig { why } => ("bad config", why),
        };
        let detail =
            expected.strip_prefix(kind).unwrap_or_else(|| panic!("{address}: {kind}: {why}"));
        assert!(why.contains(detail.trim()), "{address}: {why}");
    }
}

#[tokio::test]
async fn a_refused_sender_is_our_fault_not_the_recipient_s() {
    let mailbox = Mailbox::start_with(script()).await.unwrap();
    let mut email = email(port(&mailbox), PATIENT);
    email.sender.from = "rcpt553@example.com".parse().unwrap();
    let outcome = email.send(&message(), &to("li@example.com")).await;
    assert!(matches!(outcome, Outcome::BadConfig { .. }), "{outcome:?}");
}

#[tokio::test]
async fn after_a_cancelled_send_the_next_rejection_is_still_a_rejection() {
    let mailbox = Mailbox::start_with(script()).await.unwrap();
    let email = email(port(&mailbox), PATIENT);
    tokio::select! {
        outcome = async { email.send(&message(), &to("silent@example.com")).await } => {
            panic!("the server said nothing, and yet: {outcome:?}");
        }
        // The body is there: the send is dropped while it waits for the reply.
        _ = mailbox.wait_for(1) => {}
    }
    let refused = email.send(&message(), &to("data554@example.com")).await;
    assert!(matches!(refused, Outcome::BadRecipient { .. }), "{refused:?}");
    let accepted = email.send(&message(), &to("li@example.com")).await;
    assert!(matches!(accepted, Outcome::Accepted { .. }), "{accepted:?}");
}

#[tokio::test]
async fn silence_after_the_body_is_ambiguous() {
    let mailbox = Mailbox::start_with(script()).await.unwrap();
    let outcome =
        email(port(&mailbox), IMPATIENT).send(&message(), &to("silent@example.com")).await;
    assert!(matches!(outcome, Outcome::Ambiguous { .. }), "{outcome:?}");
    assert_eq!(mailbox.mails().len(), 1);
}

#[tokio::test]
async fn silence_before_the_body_is_no_doubt_at_all() {
    // Connects (the kernel does), and never greets.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let email = email(mute.local_addr().unwrap().port(), Duration::from_millis(200));
    let outcome = email.send(&message(), &to("li@example.com")).await;
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
    let tested = email.test().await.unwrap_err();
    assert!(tested.contains("no reply within 200ms"), "{tested}");
}

#[tokio::test]
async fn nobody_there_is_worth_another_try() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut email = email(gone, PATIENT);
    let refused = email.send(&message(), &to("li@example.com")).await;
    assert!(matches!(refused, Outcome::Retry { .. }), "{refused:?}");
    email.route().host = "no-such-host.invalid".to_owned();
    let unknown = email.send(&message(), &to("li@example.com")).await;
    assert!(matches!(unknown, Outcome::Retry { .. }), "{unknown:?}");
}

#[tokio::test]
async fn sign_in_works_and_its_failure_is_a_matter_of_configuration() {
    let script = Script::default().with_sign_in("li", "right");
    let mailbox = Mailbox::start_with(script).await.unwrap();
    let mut email = email(port(&mailbox), PATIENT);
    let unsigned = email.send(&message(), &to("li@example.com")).await;
    assert!(matches!(&unsigned, Outcome::BadConfig { why } if why.contains("530")), "{unsigned:?}");
    email.sign_in("li", "wrong");
    let wrong = email.send(&message(), &to("li@example.com")).await;
    assert!(matches!(&wrong, Outcome::BadConfig { why } if why.contains("535")), "{wrong:?}");
    assert!(email.test().await.unwrap_err().contains("535"));
    email.sign_in("li", "right");
    assert!(email.test().await.unwrap().contains("not encrypted, signed in"));
    let right = email.send(&message(), &to("li@example.com")).await;
    assert!(matches!(right, Outcome::Accepted { .. }), "{right:?}");
    assert_eq!(mailbox.mails().len(), 1, "a test sends nothing");
}

#[tokio::test]
async fn sign_in_at_a_server_without_it_is_a_matter_of_configuration() {
    let mailbox = Mailbox::start().await.unwrap();
    let mut email = email(port(&mailbox), PATIENT);
    email.sign_in("li", "right");
    let outcome = email.send(&message(), &to("li@example.com")).await;
    assert!(matches!(outcome, Outcome::BadConfig { .. }), "{outcome:?}");
}

#[tokio::test]
async fn what_is_in_the_names_cannot_become_a_header() {
    let mailbox = Mailbox::start().await.unwrap();
    let mut message = message();
    message.subject = "low\r\nBcc: eve@example.com\r\n\r\nbody".to_owned();
    message.id = "n\r\nX-Evil: 1".to_owned();
    message.thread = "t>\r\nX-Evil: 1".to_owned();
    let mut recipient = to("li@example.com");
    recipient.name = "Li\r\nX-Evil: 1".to_owned();
    email(port(&mailbox), PATIENT).send(&message, &recipient).await;
    let mail = &mailbox.mails()[0];
    assert_eq!(mail.to, ["li@example.com"]);
    assert_eq!((mail.header("Bcc"), mail.header("X-Evil")), (None, None), "{}", mail.raw);
    assert_eq!(mail.subject, "lowBcc: eve@example.combody");
}

#[tokio::test]
async fn only_people_with_an_address_are_reached() {
    let email = email(1, PATIENT);
    assert!(email.needs().are_met(&to("li@example.com")));
    assert!(!email.needs().are_met(&to(" ")));
    assert!(!email.needs().are_met(&Recipient { email: None, ..reader() }));
    let outcome = email.send(&message(), &to("not an address")).await;
    assert!(matches!(outcome, Outcome::BadRecipient { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_token_is_read_anew_for_every_try() {
    let script = Script::default().with_token("li", "fresh");
    let mailbox = Mailbox::start_with(script).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let mut email = email(port(&mailbox), PATIENT);
    email.route().sign_in = Some(SignIn::TokenFile { user: "li".to_owned(), path: path.clone() });
    for (token, expected) in [
        (None, "bad config No such file"),
        (Some("\n"), "bad config it is empty"),
        // The server explains itself by a challenge, which nobody can answer.
        (Some("stale\n"), "bad config does not expect a challenge"),
        (Some("fresh\n"), "accepted"),
    ] {
        if let Some(token) = token {
            std::fs::write(&path, token).unwrap();
        }
        let tested = email.test().await;
        let outcome = email.send(&message(), &to("li@example.com")).await;
        match outcome {
            Outcome::Accepted { .. } => assert_eq!(expected, "accepted"),
            Outcome::BadConfig { why } => {
                let words = expected.strip_prefix("bad config ").unwrap();
                assert!(why.contains(words) && !why.contains("stale"), "{why}");
            }
            other @ (Outcome::Retry { .. }
            | Outcome::Ambiguous { .. }
            | Outcome::BadRecipient { .. }) => panic!("{token:?}: {other:?}"),
        }
        assert_eq!(tested.is_ok(), expected == "accepted", "{tested:?}");
    }
    assert_eq!(mailbox.mails().len(), 1);
}

#[tokio::test]
async fn a_program_takes_the_letter_and_its_code_is_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("letter");
    let mut email = email(1, PATIENT);
    for (code, expected) in
        [(0, "Accepted"), (75, "Retry"), (67, "BadRecipient"), (64, "BadConfig")]
    {
        let script = format!("cat > {}; exit {code}", seen.display());
        let program = Program {
            command: "/bin/sh".to_owned(),
            arguments: vec!["-c".to_owned(), script],
            env: std::collections::BTreeMap::new(),
            secrets: std::collections::BTreeMap::new(),
        };
        email.way = Way::Program(Sendmail { program, timeout: Span::seconds(20) });
        let outcome = email.send(&message(), &to("li@example.com")).await;
        assert!(format!("{outcome:?}").starts_with(expected), "{code}: {outcome:?}");
    }
    assert!(email.test().await.unwrap().contains("/bin/sh"));
    let letter = std::fs::read_to_string(seen).unwrap();
    assert!(letter.contains("\nTo: \"Li Wei\" <li@example.com>\n"), "{letter}");
    assert!(letter.contains("Message-ID: <n-42.b9b55f36@example.com>"), "{letter}");
    assert!(!letter.contains('\r'));
}
