//! The engine under a clock that stands still until it is moved: days go by in a second.

use super::{daemon::Install, fake::Fake};
use topupd::{
    app::{App, Paying},
    clock::Clock,
    config::Settings,
    domain::{Span, Timestamp},
    flow::Engine,
    sim::mailbox::Mailbox,
};

pub(crate) struct World {
    pub(crate) fake: Fake,
    pub(crate) mailbox: Mailbox,
    pub(crate) install: Install,
    clock: Clock,
    app: App,
}

impl World {
    /// The sample line under the sample rule, paces as by default; `prepare` may change the files
    /// before they are applied.
    pub(crate) async fn new(prepare: impl FnOnce(&Fake, &Install)) -> Self {
        let fake = Fake::start().await;
        let mailbox = Mailbox::start().await.unwrap();
        let install = Install::new(&fake.url, &mailbox.url());
        let tuned = std::fs::read_to_string(install.path("topupd.toml")).unwrap();
        let (head, rest) = tuned.split_once("[flow]").unwrap();
        let (_, rest) = rest.split_once("[safety]").unwrap();
        let (_, rest) = rest.split_once("[log]").unwrap();
        let calm =
            "[flow]\npoll_every = \"6h\"\n[safety]\nstorm_min = 3\npayer_rate = \"1000/s\"\n";
        std::fs::write(install.path("topupd.toml"), format!("{head}{calm}[log]{rest}")).unwrap();
        prepare(&fake, &install);
        install.apply();
        let now = Timestamp::from_ms(chrono::Utc::now().timestamp_millis()).plus(Span::seconds(1));
        let clock = Clock::fixed(now);
        let app = open(&install, &clock).await;
        Self { fake, mailbox, install, clock, app }
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.app.engine()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets `span` go by with nothing done.
    pub(crate) fn advance(&self, span: Span) {
        self.clock.advance(span);
    }

    /// Everything that is due now; returns when the next thing will be.
    pub(crate) async fn tick(&self) -> Option<Timestamp> {
        let reports = self.engine().tick().await.unwrap();
        reports.values().filter_map(|report| report.next_at).filter(|at| *at > self.now()).min()
    }

    /// Lets `span` go by, step by step from one due thing to the next.
    pub(crate) async fn pass(&self, span: Span) {
        let end = self.now().plus(span);
        loop {
            let next = self.tick().await.filter(|at| *at < end);
            let Some(at) = next else { break };
            self.clock.advance(at.since(self.now()));
        }
        self.clock.advance(end.since(self.now()));
        self.tick().await;
    }

    /// Lets `span` go by with the daemon down, then starts it again.
    pub(crate) async fn sleep(mut self, span: Span) -> Self {
        self.app.close().await;
        self.clock.advance(span);
        self.app = open(&self.install, &self.clock).await;
        self
    }

    /// Everything told so far, as `kind` words, oldest first; whether sent or not.
    pub(crate) async fn told(&self, state: &str) -> Vec<&'static str> {
        let mut notices = self.engine().store().notices(None, 10_000).await.unwrap();
        notices.sort_by_key(|notice| notice.created_at);
        let wanted = notices.iter().filter(|notice| notice.state == state);
        wanted.map(|notice| notice.kind.as_str()).collect()
    }
}

async fn open(install: &Install, clock: &Clock) -> App {
    let settings = Settings::load(&[install.path("topupd.toml")], std::iter::empty()).unwrap();
    App::open(settings, clock.clone(), Paying::Required).await.unwrap()
}
