//! `docs/examples/exec-gammu.py`, as a channel: the message is in the folder that Gammu's daemon sends
//! from.

use crate::outside::{channel, letter};
use crate::support::programs::{are_there, place_of};
use std::{fs, path::Path};
use topupd::{
    channels::{Outcome, Recipient},
    domain::Msisdn,
};

const INJECT: &str = "usr/bin/gammu-smsd-inject";

const DAEMON: &str = "[gammu]\nconnection = none\n[smsd]\nservice = files\noutboxpath = {out}/\n\
    outboxformat = detail\ntransmitformat = auto\n";

/// The text of a queued message, put together from all its parts.
fn text_of(file: &str) -> String {
    let lines = file.lines().filter_map(|line| line.strip_prefix("Text"));
    let digits: String =
        lines.filter_map(|line| line.split_once(" = ")).map(|(_, hex)| hex).collect();
    let units: Vec<u16> = (0..digits.len() / 4)
        .map(|n| u16::from_str_radix(&digits[4 * n..4 * n + 4], 16).unwrap())
        .collect();
    String::from_utf16(&units).unwrap()
}

#[tokio::test]
async fn the_example_queues_a_message_with_gammu() {
    if !are_there(&[INJECT]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (out, config) = (folder.path().join("out"), folder.path().join("smsdrc"));
    fs::create_dir(&out).unwrap();
    fs::write(&config, DAEMON.replace("{out}", out.to_str().unwrap())).unwrap();
    let (program, libraries) = place_of(INJECT);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/exec-gammu.py");
    let stick = channel(&format!(
        "[exec]\ncommand = [\"/usr/bin/env\", \"python3\", {script:?}]\nneeds = \"phone\"\n\
         env = {{ CONFIG = {config:?}, PATH = \"{}:/usr/local/bin:/usr/bin:/bin\", LD_LIBRARY_PATH = {libraries:?} }}\n",
        program.parent().unwrap().display()
    ));
    let phone = Msisdn::parse("+12025550199").ok();
    let to = Recipient { name: "Li".to_owned(), email: None, phone, address: None };
    for locale in ["en", "zh-CN"] {
        let message = letter(locale);
        let Outcome::Accepted { vendor_id: Some(id) } = stick.send(&message, &to).await else {
            panic!("{locale}: not queued");
        };
        // Gammu cuts the comments where it likes.
        let queued = String::from_utf8_lossy(&fs::read(id).unwrap()).into_owned();
        assert!(queued.contains("Number = \"+12025550199\""), "{queued}");
        assert_eq!(text_of(&queued), message.short);
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2, "one file for each");
    // Nobody's number, and a queue that is not there: nothing was sent.
    let nobody = Recipient { phone: None, ..to.clone() };
    let outcome = stick.send(&letter("en"), &nobody).await;
    assert!(matches!(outcome, Outcome::BadRecipient { .. }), "{outcome:?}");
    fs::remove_dir_all(&out).unwrap();
    let outcome = stick.send(&letter("en"), &to).await;
    assert!(
        matches!(&outcome, Outcome::BadConfig { why } if why.contains("outboxpath")),
        "{outcome:?}"
    );
}
