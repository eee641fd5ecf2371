//! Several instances over one PostgreSQL: claims, chaos, failover.

mod chaos;
mod claims;
mod failover;

use super::support::{
    daemon::{Install, LINE},
    fake::Fake,
};
use topupd::sim::mailbox::Mailbox;

/// What every instance has in common, and a place for each.
struct Several {
    fake: Fake,
    mailbox: Mailbox,
    installs: Vec<Install>,
}

/// The numbers of the lines: the sample line and others like it.
fn numbers(lines: usize) -> Vec<String> {
    let others = (1..lines).map(|n| format!("+1202555{:04}", 1000 + n));
    std::iter::once(LINE.to_owned()).chain(others).collect()
}

impl Several {
    /// `count` places over the database at `url`, and so many lines, none of which needs anything.
    async fn new(url: &str, count: usize, lines: usize) -> Self {
        let fake = Fake::start().await;
        let mailbox = Mailbox::start().await.unwrap();
        let mut csv = String::from("id,subscriber,label,msisdn,time_zone,reader,payers,tags\n");
        for (n, number) in numbers(lines).iter().enumerate() {
            fake.set_balance(number, 3000);
            if n > 0 {
                csv += &format!(
                    "extra-{n},li,Extra {n},{number},America/New_York,carrier,carrier,us\n"
                );
            }
        }
        let installs: Vec<Install> =
            (0..count).map(|_| Install::new(&fake.url, &mailbox.url())).collect();
        for install in &installs {
            let sqlite = format!("sqlite://{}", install.path("topupd.db").display());
            install.edit("topupd.toml", &sqlite, url);
            install.edit("topupd.toml", "[flow]", "[flow]\nlease = \"3s\"");
            let safety = "[safety]\nstorm_min = 500\npayer_rate = \"100/s\"\nunknown_limit = 500\n\
                          resubmit = \"strict\"\ndisk_min = \"1 MB\"";
            install.edit("topupd.toml", "[safety]", safety);
            install.edit("fleet.toml", "{ subscription = \"li-tmobile\" }", "{ tag = \"us\" }");
        }
        installs[0].apply();
        if lines > 1 {
            std::fs::write(installs[0].path("lines.csv"), csv).unwrap();
            installs[0].json(&["apply", installs[0].path("lines.csv").to_str().unwrap()]);
        }
        Self { fake, mailbox, installs }
    }

    /// Every number that was charged, as often as it was.
    fn charged(&self) -> Vec<String> {
        let mut charged: Vec<String> =
            self.fake.charges().into_iter().map(|charge| charge.msisdn).collect();
        charged.sort_unstable();
        charged
    }
}
