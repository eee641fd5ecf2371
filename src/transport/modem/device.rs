//! Which modem serves a line, and whether it is ready.

use super::bus::{Address, Bus, MODEM, SIM, Trouble, number, text};
use crate::domain::{ErrorKind, Iccid, Span};
use crate::input::Section;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// One lock for each modem, shared by every provider and channel of this process: also by the old and
/// the new ones of a configuration that is being replaced.
static LOCKS: LazyLock<Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>> =
    LazyLock::new(Mutex::default);

/// The states of a modem that matter here.
const FAILED: i64 = -1;
const LOCKED: i64 = 2;
const DISABLED: i64 = 3;
const REGISTERED: i64 = 8;
/// How long a modem may take to be ready: enabled, registered, free of an earlier session.
pub(crate) const READY: Span = Span::seconds(60);
/// How often a modem that is not ready is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A modem and the SIM in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// Where it hangs now.
    pub(crate) path: String,
    imei: String,
    iccid: String,
    name: String,
}

/// `Quectel EC25 (IMEI ..9319, SIM ..7433)`.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |text: &str| -> String {
            let at = text.char_indices().nth_back(3).map_or(0, |(at, _)| at);
            text.get(at..).unwrap_or_default().to_owned()
        };
        write!(f, "{} (IMEI ..{}", self.name, end(&self.imei))?;
        if self.iccid.is_empty() {
            f.write_str(")")
        } else {
            write!(f, ", SIM ..{})", end(&self.iccid))
        }
    }
}

/// Which modem: never by its number in ModemManager, which changes whenever it is plugged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Which {
    pub(crate) imei: Option<String>,
    pub(crate) iccid: Option<Iccid>,
}

impl Which {
    /// Reads `imei` and `iccid`, of which one at least must be there.
    pub(crate) fn read(s: &mut Section<'_>) -> Self {
        let imei = s.parsed("imei", "allowed are the 15 digits of an IMEI", |text| {
            let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
            let all = digits.bytes().all(|b| b.is_ascii_digit());
            (all && (15..=16).contains(&digits.len())).then_some(digits)
        });
        let iccid = s.checked("iccid", Iccid::parse);
        if !s.has("imei") && !s.has("iccid") {
            s.fault("imei", "allowed is `imei` or `iccid`, or both");
        }
        Self { imei, iccid }
    }

    /// What the config says, and the serial that the fleet says.
    pub(crate) fn merged(self, iccid: Option<&Iccid>) -> Result<Self, Trouble> {
        let fault = |why: &str| Err(Trouble::before(ErrorKind::Configuration, why));
        match (&self.iccid, iccid) {
            (Some(here), Some(there)) if here != there => {
                fault("`lines` and the subscription name different SIMs")
            }
            (None, None) if self.imei.is_none() => {
                fault("no modem is known: the subscription needs its iccid, or `lines` its number")
            }
            (here, there) => Ok(Self { iccid: here.as_ref().or(there).cloned(), ..self }),
        }
    }
}

/// Every modem there is.
pub(crate) async fn all(bus: &Bus) -> Result<Vec<Device>, Trouble> {
    let mut devices = Vec::new();
    for (path, found) in bus.modems().await? {
        let sim = text(&found, "Sim");
        let iccid = if sim.is_empty() || sim == "/" {
            String::new()
        } else {
            text(&bus.properties(&sim, SIM).await?, "SimIdentifier")
        };
        let name = format!("{} {}", text(&found, "Manufacturer"), text(&found, "Model"));
        let imei = text(&found, "EquipmentIdentifier");
        devices.push(Device { path, imei, iccid, name: name.trim().to_owned() });
    }
    Ok(devices)
}

/// The only modem that is the one, with the SIM that is the one.
pub(crate) fn pick(devices: Vec<Device>, which: &Which) -> Result<Device, Trouble> {
    let trouble = |kind, why: &str| Err(Trouble::before(kind, why));
    let mut here: Vec<Device> = devices
        .into_iter()
        .filter(|device| match (&which.imei, &which.iccid) {
            (Some(imei), _) => is_same_device(imei, &device.imei),
            (None, Some(iccid)) => iccid.reads_as(&device.iccid),
            (None, None) => false,
        })
        .collect();
    let Some(device) = here.pop() else {
        return trouble(ErrorKind::Temporary, "the line's modem is not there");
    };
    if !here.is_empty() {
        return trouble(ErrorKind::Configuration, "more than one modem says it is the line's");
    }
    match &which.iccid {
        Some(_) if device.iccid.is_empty() => {
            trouble(ErrorKind::Temporary, "the SIM in the line's modem cannot be read")
        }
        Some(iccid) if !iccid.reads_as(&device.iccid) => {
            trouble(ErrorKind::Identity, "another SIM is in the line's modem")
        }
        Some(_) | None => Ok(device),
    }
}

/// The same IMEI, whether written with its check digit or with the software's version.
fn is_same_device(ours: &str, theirs: &str) -> bool {
    let unit = |text: &str| text.get(..14).map(str::to_owned);
    unit(ours).is_some() && unit(ours) == unit(theirs)
}

/// What must be held while a modem is used.
pub(crate) fn lock(address: &Address, device: &Device) -> Arc<tokio::sync::Mutex<()>> {
    let unit = if device.imei.is_empty() { &device.path } else { &device.imei };
    let mut locks = LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    locks.entry(format!("{address:?} {unit}")).or_default().clone()
}

/// Waits until the modem is in a network; switches it on where it is off.
pub(crate) async fn ready(bus: &Bus, device: &Device) -> Result<(), Trouble> {
    let until = Instant::now() + READY.to_std();
    let mut switched = false;
    loop {
        let state = number(&bus.properties(&device.path, MODEM).await?, "State").unwrap_or(0);
        let trouble = |kind, why: &str| Err(Trouble::before(kind, why));
        match state {
            REGISTERED.. => return Ok(()),
            FAILED => return trouble(ErrorKind::Temporary, "the modem failed: is there a SIM?"),
            LOCKED => return trouble(ErrorKind::Configuration, "the SIM wants its PIN first"),
            DISABLED if !switched => {
                switched = true;
                let enable = bus.call::<_, ()>(&device.path, MODEM, "Enable", &(true,));
                tokio::time::timeout_at(until, enable)
                    .await
                    .unwrap_or_else(|_| Err(Trouble::silence(READY.to_std())))
                    .map_err(Trouble::harmless)?;
            }
            _ if Instant::now() >= until => {
                return trouble(ErrorKind::Temporary, "the modem is in no network");
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIAL: &str = "8901260852290847433";

    fn device(imei: &str, iccid: &str) -> Device {
        let (imei, iccid) = (imei.to_owned(), iccid.to_owned());
        Device { path: "/Modem/0".to_owned(), imei, iccid, name: "Quectel EC25".to_owned() }
    }

    fn which(imei: Option<&str>, iccid: Option<&str>) -> Which {
        Which { imei: imei.map(str::to_owned), iccid: iccid.map(|i| Iccid::parse(i).unwrap()) }
    }

    #[test]
    fn the_right_modem_with_the_right_sim() {
        let ours = Iccid::parse(SERIAL).unwrap().as_str().to_owned();
        let devices = vec![
            device("353490069873319", &ours),
            device("861536030196001", "8944110069158231145"),
        ];
        let pick = |which: &Which| pick(devices.clone(), which).map(|device| device.imei);
        for found in [
            which(None, Some(SERIAL)),
            which(Some("353490069873319"), None),
            which(Some("3534900698733101"), Some(SERIAL)),
        ] {
            assert_eq!(pick(&found).as_deref(), Ok("353490069873319"), "{found:?}");
        }
        let kind = |which: &Which| pick(which).unwrap_err().kind;
        assert_eq!(kind(&which(Some("861536030196001"), Some(SERIAL))), ErrorKind::Identity);
        assert_eq!(kind(&which(Some("111111111111111"), None)), ErrorKind::Temporary);
        assert_eq!(kind(&which(None, None)), ErrorKind::Temporary);
    }

    #[test]
    fn doubt_about_the_modem_is_no_modem() {
        let twins = vec![device("353490069873319", ""), device("353490069873319", "")];
        let found = pick(twins, &which(Some("353490069873319"), None)).unwrap_err();
        assert_eq!(found.kind, ErrorKind::Configuration);
        let unread = vec![device("353490069873319", "")];
        let found = pick(unread, &which(Some("353490069873319"), Some(SERIAL))).unwrap_err();
        assert_eq!(found.kind, ErrorKind::Temporary);
        assert!(found.nothing_sent);
        let nameless = vec![device("", "")];
        assert!(pick(nameless, &which(Some("353490069873319"), None)).is_err());
    }

    #[test]
    fn config_and_fleet_must_agree() {
        let iccid = Iccid::parse(SERIAL).unwrap();
        assert_eq!(Which::default().merged(Some(&iccid)), Ok(which(None, Some(SERIAL))));
        assert!(Which::default().merged(None).is_err());
        assert!(which(None, Some("8944110069158231145")).merged(Some(&iccid)).is_err());
        let both = which(Some("353490069873319"), None).merged(Some(&iccid)).unwrap();
        assert_eq!(both, which(Some("353490069873319"), Some(SERIAL)));
    }

    #[test]
    fn a_lock_belongs_to_a_modem_and_not_to_its_number() {
        let one = lock(&Address::System, &device("353490069873319", ""));
        let moved = Device { path: "/Modem/7".to_owned(), ..device("353490069873319", SERIAL) };
        assert!(Arc::ptr_eq(&one, &lock(&Address::System, &moved)));
        assert!(!Arc::ptr_eq(&one, &lock(&Address::Session, &moved)));
    }

    #[test]
    fn modems_are_named_without_their_full_numbers() {
        let shown = device("353490069873319", SERIAL).to_string();
        assert_eq!(shown, "Quectel EC25 (IMEI ..3319, SIM ..7433)");
        assert_eq!(device("", "").to_string(), "Quectel EC25 (IMEI ..)");
    }
}
