use super::*;
use crate::input::{Intake, Origin, from_toml};

/// Reads the text as `[channels.mail.email]`.
fn read(text: &str) -> (Option<Config>, Vec<String>) {
    let table = from_toml("a.toml", text).unwrap();
    let intake = Intake::new();
    let section = Section::new(&table, "channels.mail.email", &Origin::file("a.toml"), &intake);
    let config = Config::read(section);
    (config, intake.into_faults().iter().map(ToString::to_string).collect())
}

fn good(text: &str) -> Config {
    let (config, faults) = read(&format!("from = \"topupd <topupd@example.com>\"\n{text}"));
    assert_eq!(faults, Vec::<String>::new(), "{text}");
    config.unwrap()
}

fn submission(config: &Config) -> &Submission {
    let Means::Server(submission) = &config.way else { panic!("{config:?}") };
    submission
}

#[test]
fn every_kind_of_url_is_understood() {
    for (url, port, security) in [
        ("smtp://127.0.0.1:2525", 2525, Security::Plain),
        ("smtp://mail.example.com", 25, Security::Plain),
        ("smtp://mail.example.com?tls=required", 587, Security::Starttls),
        ("smtps://mail.example.com/", 465, Security::Implicit),
        ("smtps://[::1]:4650", 4650, Security::Implicit),
    ] {
        let config = good(&format!("url = {url:?}"));
        let server = &submission(&config).server;
        assert_eq!((server.port, server.security), (port, security), "{url}");
        assert!(!server.host.contains('['), "{url}");
        assert_eq!(config.timeout, Span::minutes(1));
        assert!(config.build("mail").is_ok());
    }
}

#[test]
fn credentials_come_from_the_url_or_from_keys_and_never_print() {
    let in_url = good("url = \"smtps://li%40example.com:p%2Bs%3A%2F@mail.example.com\"");
    let keys =
        good("url = \"smtps://mail.example.com\"\nuser = \"li@example.com\"\npassword = \"p+s:/\"");
    for config in [in_url, keys] {
        let Some(Known::Password(user, password)) = submission(&config).sign_in.clone() else {
            panic!("{config:?}");
        };
        assert_eq!((user.as_str(), password.expose_secret()), ("li@example.com", "p+s:/"));
        let channel = config.build("mail").unwrap();
        assert!(!format!("{config:?} {channel:?}").contains("p+s:/"));
    }
}

#[test]
fn all_faults_are_found_at_once_and_show_no_secret() {
    let (config, faults) = read(
        "url = \"smtp://li:hunter2@mail.example.com/x\"\nfrom = \"nobody\"\nreply_to = \"also\"\n\
         timeout = \"0s\"\nuser = \"li\"\nca_file = \"/nonexistent/ca.pem\"\ntypo = 1\n",
    );
    assert!(config.is_none());
    let all = faults.join("\n");
    assert!(!all.contains("hunter2"), "{all}");
    for key in
        ["url: found <secret>", "from:", "reply_to:", "timeout:", "password:", "ca_file:", "typo:"]
    {
        assert!(all.contains(&format!("channels.mail.email.{key}")), "{key} in\n{all}");
    }
    assert_eq!(faults.len(), 7, "{all}");
}

#[test]
fn what_would_show_a_password_needs_a_clear_wish() {
    let plain = "from = \"a@example.com\"\nurl = \"smtp://u:hunter2@mail.example.com\"";
    let (config, faults) = read(plain);
    assert!(config.is_none() && faults[0].contains("insecure"), "{faults:?}");
    let wished = read(&format!("{plain}\ninsecure = true"));
    assert!(wished.0.is_some(), "{:?}", wished.1);
    good("url = \"smtp://u:p@localhost:2525\"");
    good("url = \"smtp://u:p@[::1]:2525\"");
    let may_be_plain =
        "from = \"a@example.com\"\nurl = \"smtp://mail.example.com?tls=opportunistic\"";
    assert!(read(may_be_plain).1[0].contains("insecure = true"));
    assert!(read(&format!("{may_be_plain}\ninsecure = true")).0.is_some());
}

#[test]
fn urls_that_mean_nothing_are_refused() {
    for url in [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtps://h?tls=required",
        "smtp://h?tls=maybe",
        "smtp://h?tls=required&x=1",
        "smtp://u@h",
        "smtp://u:%zz@h",
        "",
    ] {
        let (config, faults) = read(&format!("from = \"a@example.com\"\nurl = {url:?}"));
        assert!(config.is_none() && faults.len() == 1, "{url}: {faults:?}");
    }
    let (_, missing) = read("from = \"a@example.com\"");
    assert!(missing[0].contains("url: missing; allowed is smtp://"), "{missing:?}");
}

#[test]
fn two_sources_of_credentials_are_one_too_many() {
    let (config, faults) =
        read("from = \"a@example.com\"\nurl = \"smtps://u:p@h\"\nuser = \"u\"\npassword = \"p\"");
    assert!(config.is_none());
    assert!(faults[0].contains("either `user` or credentials in `url`"), "{faults:?}");
}

#[test]
fn a_token_is_the_user_s_and_takes_the_place_of_the_password() {
    let url = "url = \"smtp://mail.example.com?tls=required\"\n";
    let config = good(&format!("{url}user = \"li\"\nxoauth2_token_file = \"/run/token\""));
    assert!(
        matches!(&submission(&config).sign_in, Some(Known::TokenFile(user, _)) if user == "li")
    );
    for (text, words) in [
        ("xoauth2_token_file = \"/run/token\"", "needs `user`"),
        ("user = \"li\"\nxoauth2_token_file = \"token\"", "absolute path"),
        ("user = \"li\"", "or `xoauth2_token_file`"),
        ("user = \"li\"\npassword = \"p\"\nxoauth2_token_file = \"/t\"", "either `password`"),
    ] {
        let (config, faults) = read(&format!("from = \"a@example.com\"\n{url}{text}"));
        assert!(config.is_none() && faults[0].contains(words), "{text}: {faults:?}");
    }
}

#[test]
fn a_program_takes_the_place_of_the_server() {
    let sendmail = "sendmail = [\"/usr/sbin/sendmail\", \"-t\", \"-i\"]\n";
    let config = good(sendmail);
    assert!(matches!(&config.way, Means::Program(program) if program.arguments == ["-t", "-i"]));
    assert!(config.build("mail").is_ok());
    for text in [
        &format!("{sendmail}url = \"smtp://mail.example.com\""),
        &format!("{sendmail}user = \"li\""),
        "sendmail = [\"sendmail\"]",
    ] {
        let (config, faults) = read(&format!("from = \"a@example.com\"\n{text}"));
        assert!(config.is_none() && faults.len() == 1, "{text}: {faults:?}");
    }
}
