//! Letters to postfix's `smtp-sink`, which fails at every step of the conversation as told.

use super::{calm, say, told};
use crate::support::{
    place::Place,
    programs::{Running, are_there, command, free_port},
};
use std::{
    fmt::Write as _,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};
use topupd::{
    domain::{NoticeKind, Severity, Span},
    store::StoredNotice,
};

const SINK: &str = "usr/sbin/smtp-sink";

/// What is done to a letter, and what the channel makes of it. Replies beginning with 4 are `-r`,
/// with 5 `-f`; `-q` hangs up, `-Q` says 421 first, `-W` waits.
const CASES: &[(&[&str], &str)] = &[
    (&[], "accepted"),
    (&["-W", "RCPT:1"], "accepted"),
    (&["-r", "CONNECT"], "retry"),
    (&["-r", "EHLO,HELO"], "retry"),
    (&["-r", "MAIL"], "retry"),
    (&["-r", "RCPT"], "retry"),
    (&["-r", "DATA"], "retry"),
    (&["-r", "."], "retry"),
    (&["-q", "CONNECT"], "retry"),
    (&["-q", "EHLO"], "retry"),
    (&["-q", "MAIL"], "retry"),
    (&["-q", "RCPT"], "retry"),
    (&["-q", "DATA"], "retry"),
    (&["-Q", "CONNECT"], "retry"),
    (&["-Q", "RCPT"], "retry"),
    (&["-Q", "."], "retry"),
    (&["-W", "RCPT:9"], "retry"),
    (&["-q", "."], "ambiguous"),
    (&["-W", ".:9"], "ambiguous"),
    (&["-f", "CONNECT"], "bad_config"),
    (&["-f", "EHLO,HELO"], "bad_config"),
    (&["-f", "MAIL"], "bad_config"),
    (&["-f", "RCPT"], "bad_recipient"),
    (&["-f", "DATA"], "bad_recipient"),
    (&["-f", "."], "bad_recipient"),
];

/// A server that writes down what it takes.
struct Sink {
    port: u16,
    folder: PathBuf,
    _running: Running,
}

impl Sink {
    fn start(port: u16, fault: &[&str], folder: &Path) -> Self {
        fs::create_dir(folder).unwrap();
        fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
        let mut sink = command(SINK);
        if rustix::process::geteuid().is_root() {
            sink.args(["-u", "nobody"]);
        }
        sink.args(["-d", "letter."]).args(fault).arg(format!("127.0.0.1:{port}")).arg("100");
        sink.current_dir(folder).stderr(Stdio::null());
        let running = Running::listening(&mut sink, port);
        Self { port, folder: folder.to_owned(), _running: running }
    }

    /// Whole letters to `who`.
    fn letters(&self, who: &str) -> usize {
        let files = fs::read_dir(&self.folder).unwrap().map(|file| file.unwrap().path());
        let letters = files.map(|path| fs::read_to_string(path).unwrap());
        let to = format!("X-Rcpt-Args: <{who}@example.com>");
        letters.filter(|text| text.contains(&to) && text.contains("</html>")).count()
    }
}

/// `a3` has nothing but the third server, `b3` has a chat, too.
async fn everybody(ports: &[u16]) -> Place {
    let (mut people, mut channels) = (String::new(), String::new());
    for (n, (port, (fault, _))) in ports.iter().zip(CASES).enumerate() {
        // Only where it must run out is the time short.
        let limit = if fault.iter().any(|word| word.ends_with(":9")) { "3s" } else { "30s" };
        for (who, more) in [("a", ""), ("b", ", \"zchat\"")] {
            writeln!(
                people,
                "[[subscribers]]\nid = \"{who}{n}\"\nname = \"{who}{n}\"\ntime_zone = \"UTC\"\n\
                 email = \"{who}{n}@example.com\"\nchannels = [\"sink{n}\"{more}]"
            )
            .unwrap();
        }
        writeln!(
            channels,
            "[channels.sink{n}.email]\nurl = \"smtp://127.0.0.1:{port}\"\ntimeout = \"{limit}\"\n\
             from = \"topupd@example.com\""
        )
        .unwrap();
    }
    Place::with_notices(|fleet| people.clone() + &calm(fleet), &channels).await
}

fn state(row: &StoredNotice) -> (&str, &str, i64) {
    (row.state.as_str(), row.channel.as_deref().unwrap_or_default(), row.ambiguous)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_mail_server_has_its_own_consequence() {
    if !are_there(&[SINK]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let at = |name: String| folder.path().join(name);
    let sinks: Vec<Sink> = CASES
        .iter()
        .enumerate()
        .map(|(n, (fault, _))| Sink::start(free_port(), fault, &at(format!("bad{n}"))))
        .collect();
    let ports: Vec<u16> = sinks.iter().map(|sink| sink.port).collect();
    let place = everybody(&ports).await;
    for n in 0..CASES.len() {
        for who in ["a", "b"] {
            say(&place, &format!("{who}{n}"), Severity::High).await;
        }
    }
    place.engine.tick().await.unwrap();

    let chat: Vec<String> = place.chat.took().into_iter().map(|message| message.id).collect();
    for (n, (fault, word)) in CASES.iter().enumerate() {
        let (sink, place_of) = (format!("sink{n}"), format!("{fault:?}"));
        let (a, b) = (told(&place, &format!("a{n}")).await, told(&place, &format!("b{n}")).await);
        for row in [&a, &b] {
            let first = place.tries(&row.id).await.remove(0);
            assert_eq!(first, (sink.clone(), (*word).to_owned()), "{place_of}: {row:?}");
            // What was refused after its last line is in the sink's files as well, and is no letter.
            if matches!(*word, "accepted" | "ambiguous") {
                assert_eq!(sinks[n].letters(&row.subscriber), 1, "{place_of}");
            }
        }
        let stays = match *word {
            "accepted" => ("sent", sink.as_str(), 0),
            "ambiguous" => ("queued", sink.as_str(), 1),
            "bad_recipient" => ("dead", sink.as_str(), 0),
            // A person can mend a configuration: it is kept.
            _ => ("queued", sink.as_str(), 0),
        };
        assert_eq!(state(&a), stays, "{place_of}: {a:?}");
        let goes_on = word.starts_with("bad_");
        let goes = if goes_on { ("sent", "zchat", 0) } else { stays };
        assert_eq!(state(&b), goes, "{place_of}: {b:?}");
        assert_eq!(chat.contains(&b.id), goes_on, "{place_of}");
    }
    // Who has no other way is made up for by those who look after the installation.
    let given_up = CASES.iter().filter(|(_, word)| *word == "bad_recipient").count();
    let of = |kind| place.chat.took().into_iter().filter(move |message| message.kind == kind);
    assert_eq!(of(NoticeKind::Undelivered).count(), given_up);
    let switched = CASES.iter().filter(|(_, word)| word.starts_with("bad_")).count();
    assert_eq!(of(NoticeKind::ChannelTrouble).count(), switched, "the trouble is told, too");

    // The servers are mended: what waited arrives, once.
    drop(sinks);
    let mended: Vec<Sink> = ports
        .iter()
        .enumerate()
        .map(|(n, port)| Sink::start(*port, &[], &at(format!("good{n}"))))
        .collect();
    for _ in 0..3 {
        place.clock.advance(Span::minutes(61));
        place.engine.tick().await.unwrap();
    }
    for (n, (fault, word)) in CASES.iter().enumerate() {
        let row = told(&place, &format!("a{n}")).await;
        let arrived = usize::from(!matches!(*word, "accepted" | "bad_recipient"));
        assert_eq!(mended[n].letters(&format!("a{n}")), arrived, "{fault:?}: {row:?}");
        assert_eq!(row.state == "sent", *word != "bad_recipient", "{fault:?}: {row:?}");
        let twice = *word == "ambiguous";
        assert_eq!(row.ambiguous, i64::from(twice), "{fault:?}: a second copy is counted");
    }
}
