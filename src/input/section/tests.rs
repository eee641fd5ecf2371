use super::*;
use crate::input::from_toml;

fn faults(text: &str, read: impl FnOnce(&mut Section<'_>)) -> Vec<String> {
    let table = from_toml("a.toml", text).unwrap();
    let intake = Intake::new();
    let mut section = Section::new(&table, "flow", &Origin::file("a.toml"), &intake);
    read(&mut section);
    section.finish();
    intake.into_faults().iter().map(ToString::to_string).collect()
}

#[test]
fn every_fault_is_reported_with_place_value_and_allowed() {
    let found = faults("poll_every = \"soon\"\nn = 99\ntypo = 1\n", |s| {
        assert_eq!(s.span("poll_every"), None);
        assert_eq!(s.integer("n", 1..=10), None);
        assert_eq!(s.required("from", "allowed is an address"), None);
    });
    assert_eq!(
        found,
        [
            "a.toml:1: flow.poll_every: found \"soon\"; allowed is a span such as \"30s\", \"5m\", \"6h\", \"7d\"",
            "a.toml:2: flow.n: found 99; allowed is a whole number from 1 to 10",
            "a.toml: flow.from: missing; allowed is an address",
            "a.toml:3: flow.typo: found 1; unknown key; allowed here: from, n, poll_every",
        ]
    );
}

#[test]
fn mistaken_keys_do_not_show_secrets() {
    let found = faults("smtp_password = \"hunter2\"\nsecrets = \"hunter3\"\ntoken_file = 3", |s| {
        assert!(s.section("secrets").is_none());
    });
    assert_eq!(
        found,
        [
            "a.toml:2: flow.secrets: found <secret>; allowed is a table",
            "a.toml:1: flow.smtp_password: found <secret>; unknown key; allowed here: secrets",
            "a.toml:3: flow.token_file: found 3; unknown key; allowed here: secrets",
        ]
    );
}

#[test]
fn secrets_come_from_a_file_and_never_print() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let text = format!("token_file = {:?}", file.to_str().unwrap());
    let none = faults(&text, |s| {
        let secret = s.secret("token").unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&secret), "s3cret");
        assert!(!format!("{secret:?}").contains("s3cret"));
    });
    assert_eq!(none, Vec::<String>::new());
    let both = faults("token = \"s3cret\"\ntoken_file = \"x\"", |s| {
        assert!(s.secret("token").is_none());
    });
    assert!(both.len() == 1 && !both[0].contains("s3cret"), "{both:?}");
}
