//! A bus, a modem with a SIM, a line, and the provider that asks it.

use super::{bus::Bus, simulator::Simulator};
use crate::support::line;
use std::sync::Arc;
use topupd::{
    domain::{Iccid, Subscription},
    input::{Intake, Origin, Section, from_toml},
    providers::{Pin, Provider, read_config},
};

/// What T-Mobile US says.
pub(super) const BALANCE: &str =
    "Current plan active until 12/10/2026 and will renew for $15.00. Account Balance $3.20.";
/// A voucher's code.
pub(super) const CODE: &str = "5550123456789";
const IMEI: &str = "353490069873319";

/// What reads a line.
pub(super) type Line = Arc<dyn Provider>;

/// A code as it stands on a voucher.
pub(super) fn pin() -> Pin {
    Pin { code: "5550-1234-56789".to_owned(), ..Pin::default() }
}

/// All of it; the processes end with it.
pub(super) struct Scene {
    pub(super) modem: Simulator,
    pub(super) line: Subscription,
    pub(super) provider: Line,
    pub(super) bus: Bus,
}

impl Scene {
    /// Everything plugged in; `None` where ModemManager is not installed.
    pub(super) async fn start(config: &str, ucs2: bool) -> Option<Self> {
        let bus = Bus::start()?;
        let serial = Iccid::parse("8901260852290847433").unwrap();
        let modem = Simulator::start(IMEI, serial.as_str(), ucs2);
        bus.plug(&[modem.port()]).await;
        let line = Subscription { iccid: Some(serial), ..line("modem", 123) };
        let provider = build(&bus, config).await;
        Some(Self { modem, line, provider, bus })
    }

    /// Another provider on the same bus.
    pub(super) async fn again(&self, config: &str) -> Line {
        build(&self.bus, config).await
    }

    /// How many messages ModemManager knows.
    pub(super) fn messages(&self) -> usize {
        self.bus.mmcli(&["-m", "any", "--messaging-list-sms"]).matches("/SMS/").count()
    }
}

async fn build(bus: &Bus, config: &str) -> Line {
    // A nested key, so that the text's own tables stay where they are.
    let text = format!("bus = {:?}\n{config}", bus.address);
    let text = text.replace("\n[", "\n[modem.");
    let table = from_toml("test.toml", &format!("[modem]\n{text}")).unwrap();
    let intake = Intake::new();
    let section = Section::new(&table, "providers.m", &Origin::file("test.toml"), &intake);
    let config = read_config(section);
    assert_eq!(intake.into_faults(), []);
    config.unwrap().build("m").await.unwrap()
}
