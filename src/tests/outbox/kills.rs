//! kill -9 around the handing over of a notice: it is told at least once, and a copy too many is
//! counted, whatever the process knew when it died.

use super::draft;
use crate::support::daemon::Install;
use sqlx::Connection as _;
use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;
use topupd::{
    clock::Clock,
    domain::Severity,
    sim::mailbox::{Mailbox, Manner, Script},
    store::{Store, StoredNotice},
};

const LI: &str = "[[subscribers]]\nid = \"li\"\nname = \"Li\"\nemail = \"li@example.com\"\n\
    time_zone = \"UTC\"\nchannels = [\"mail\"]\n";

/// A daemon with nothing to do but to tell Li, and the server that takes the letters.
struct Scene {
    install: Install,
    mailbox: Mailbox,
    /// The server takes what comes and never says so.
    silent: Arc<AtomicBool>,
}

impl Scene {
    async fn new() -> Self {
        let silent = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&silent);
        let manner = move |_: &str| match asked.load(Ordering::SeqCst) {
            true => Manner::StaySilent,
            false => Manner::Accept,
        };
        let mailbox = Mailbox::start_with(Script::new(manner)).await.unwrap();
        let install = Install::new("http://127.0.0.1:9", &mailbox.url());
        std::fs::write(install.path("fleet.toml"), LI).unwrap();
        install.apply();
        Self { install, mailbox, silent }
    }

    async fn store(&self) -> Store {
        Store::open(&self.url()).await.unwrap()
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.install.path("topupd.db").display())
    }

    async fn say(&self, severities: &[Severity]) {
        let drafts: Vec<_> =
            severities.iter().map(|severity| draft("li", *severity, Clock::System.now())).collect();
        let store = self.store().await;
        store.say(&drafts).await.unwrap();
        store.close().await;
    }

    async fn rows(&self) -> Vec<StoredNotice> {
        let store = self.store().await;
        let rows = store.notices(None, 99).await.unwrap();
        store.close().await;
        rows
    }

    /// The claims of the dead process run out: two minutes, in no time.
    async fn two_minutes_later(&self) {
        sqlx::any::install_default_drivers();
        let mut db = sqlx::AnyConnection::connect(&self.url()).await.unwrap();
        sqlx::query(
            "UPDATE notices SET next_try_at = next_try_at - 120000 WHERE state = 'sending'",
        )
        .execute(&mut db)
        .await
        .unwrap();
        db.close().await.unwrap();
    }

    /// A new process, until every notice was sent.
    async fn start_anew(&self) {
        self.two_minutes_later().await;
        let daemon = self.install.start();
        tokio::task::block_in_place(|| {
            self.install.wait("every notice", || {
                let rows = self.install.json(&["notices", "list"]);
                rows.as_array().unwrap().iter().all(|row| row["state"] == "sent")
            });
        });
        assert_eq!(tokio::task::block_in_place(|| daemon.stop()), 0);
    }

    fn dies_at(&self, place: &str) {
        tokio::task::block_in_place(|| self.install.die_at(place));
    }

    /// Copies of the letter of each notice, by its Message-ID.
    fn copies(&self, row: &StoredNotice) -> usize {
        let mails = self.mailbox.mails();
        let of = |mail: &&topupd::sim::mailbox::Mail| {
            mail.header("Message-ID").unwrap_or_default().contains(&row.id)
        };
        mails.iter().filter(of).count()
    }
}

/// The one row: how often the letter is there, and how often it may be there once more.
async fn outcome(scene: &Scene) -> (usize, i64) {
    let rows = scene.rows().await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].state, "sent");
    (scene.copies(&rows[0]), rows[0].ambiguous)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_before_it_sends_tells_after_all() {
    let scene = Scene::new().await;
    scene.say(&[Severity::High]).await;
    // A server that says nothing when it is called: the process holds the notice, and waits.
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("smtp://{}", mute.local_addr().unwrap());
    scene.install.edit("topupd.toml", &scene.mailbox.url(), &url);
    let daemon = scene.install.start();
    let called = tokio::time::timeout(Duration::from_secs(60), mute.accept()).await;
    assert!(called.is_ok(), "{}", scene.install.log());
    tokio::task::block_in_place(|| daemon.kill());
    scene.install.edit("topupd.toml", &url, &scene.mailbox.url());
    let row = scene.rows().await.remove(0);
    assert_eq!((row.state.as_str(), scene.copies(&row)), ("sending", 0));
    scene.start_anew().await;
    // Nobody can know that nothing had left.
    assert_eq!(outcome(&scene).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_after_it_sent_tells_again_and_counts_it() {
    let scene = Scene::new().await;
    scene.say(&[Severity::Info]).await;
    scene.dies_at("notify:sent");
    let row = scene.rows().await.remove(0);
    assert_eq!((row.state.as_str(), scene.copies(&row)), ("sending", 1));
    scene.start_anew().await;
    assert_eq!(outcome(&scene).await, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_between_acceptance_and_reply_tells_again_and_counts_it() {
    let scene = Scene::new().await;
    scene.say(&[Severity::Critical]).await;
    scene.silent.store(true, Ordering::SeqCst);
    let daemon = scene.install.start();
    let came = tokio::time::timeout(Duration::from_secs(60), scene.mailbox.wait_for(1)).await;
    assert!(came.is_ok(), "{}", scene.install.log());
    tokio::task::block_in_place(|| daemon.kill());
    scene.silent.store(false, Ordering::SeqCst);
    scene.start_anew().await;
    assert_eq!(outcome(&scene).await, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_after_the_row_tells_nothing_twice() {
    let scene = Scene::new().await;
    scene.say(&[Severity::High]).await;
    let daemon = scene.install.start();
    tokio::task::block_in_place(|| {
        scene
            .install
            .wait("the row", || scene.install.json(&["notices", "list"])[0]["state"] == "sent");
        daemon.kill();
    });
    scene.start_anew().await;
    assert_eq!(outcome(&scene).await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_on_their_way_none_is_lost_whatever_the_others_do() {
    let scene = Scene::new().await;
    let all = [Severity::Info, Severity::Warning, Severity::High, Severity::Critical];
    scene.say(&all).await;
    // Some had left by then, some not; then once more, with what is left.
    for place in ["notify:sent#2", "notify:sent"] {
        scene.dies_at(place);
        scene.two_minutes_later().await;
    }
    scene.start_anew().await;
    let rows = scene.rows().await;
    assert_eq!(rows.len(), all.len());
    for row in rows {
        let copies = scene.copies(&row);
        assert!(copies >= 1, "silently zero: {row:?}");
        let counted = i64::try_from(copies).unwrap() - 1 <= row.ambiguous;
        assert!(counted, "{copies} copies: {row:?}");
    }
}
