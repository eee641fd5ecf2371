//! The conversation with ModemManager, and what its errors mean.

use crate::domain::{ErrorKind, Span};
use crate::input::Section;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::HashMap, time::Duration};
use tokio::sync::Mutex;
use zbus::{
    Connection, DBusError as _, DynamicType, OwnedObjectPath, OwnedVariant, Type, Variant,
    connection::Builder, fdo::ManagedObjects,
};

/// ModemManager's name, and the prefix of its interfaces.
pub(crate) const MANAGER: &str = "org.freedesktop.ModemManager1";
/// Where its modems hang.
pub(crate) const ROOT: &str = "/org/freedesktop/ModemManager1";
/// The interface of a modem as such.
pub(crate) const MODEM: &str = "org.freedesktop.ModemManager1.Modem";
/// The interface of a SIM.
pub(crate) const SIM: &str = "org.freedesktop.ModemManager1.Sim";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// How long joining the bus may take.
const JOIN: Duration = Duration::from_secs(10);

/// The properties of one interface of one object.
pub(crate) type Properties = HashMap<String, OwnedVariant>;

/// Which bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Where ModemManager usually is.
    System,
    /// That of the login session.
    Session,
    /// One of our own.
    At(String),
}

impl Address {
    /// Reads `bus`; without it the system's.
    pub(crate) fn read(s: &mut Section<'_>) -> Option<Self> {
        let allowed =
            "allowed: \"system\", \"session\", or an address such as \"unix:path=/run/bus\"";
        let found = s.parsed("bus", allowed, |text| match text {
            "system" => Some(Self::System),
            "session" => Some(Self::Session),
            at => (at.starts_with("unix:") && zbus::Address::try_from(at).is_ok())
                .then(|| Self::At(at.to_owned())),
        });
        if s.has("bus") { found } else { Some(Self::System) }
    }
}

/// Why nothing usable came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What it means for a read.
    pub(crate) kind: ErrorKind,
    /// Provably nothing reached the network.
    pub(crate) nothing_sent: bool,
    /// In words.
    pub(crate) why: String,
}

impl Trouble {
    /// Found before anything was sent.
    pub(crate) fn before(kind: ErrorKind, why: impl Into<String>) -> Self {
        Self { kind, nothing_sent: true, why: why.into() }
    }

    /// Nobody answered.
    pub(crate) fn silence(limit: Duration) -> Self {
        let why = format!("no answer within {}s", limit.as_secs());
        Self { kind: ErrorKind::Temporary, nothing_sent: false, why }
    }

    /// The same, after something was sent.
    pub(crate) fn begun(self) -> Self {
        Self { nothing_sent: false, ..self }
    }

    /// The same, of a call that sends nothing.
    pub(crate) fn harmless(self) -> Self {
        Self { nothing_sent: true, ..self }
    }

    /// What a D-Bus error says.
    pub(crate) fn of(error: &zbus::Error) -> Self {
        let (name, text) = if let zbus::Error::MethodError(name, text, _) = error {
            (name.to_string(), text.clone().unwrap_or_default())
        } else if let zbus::Error::FDO(error) = error {
            (error.name().to_string(), error.description().unwrap_or_default().to_owned())
        } else {
            (String::new(), error.to_string())
        };
        Self::named(&name, &text)
    }

    fn named(name: &str, text: &str) -> Self {
        let short = name.strip_prefix("org.freedesktop.").unwrap_or(name);
        let gone = text.contains("Object does not exist");
        // ModemManager checks state and rights before it says a word to the modem; a call that was
        // never delivered did nothing either.
        let (kind, nothing_sent) = match short {
            "ModemManager1.Error.Core.WrongState"
            | "DBus.Error.ServiceUnknown"
            | "DBus.Error.NameHasNoOwner"
            | "DBus.Error.UnknownObject" => (ErrorKind::Temporary, true),
            "DBus.Error.UnknownMethod" if gone => (ErrorKind::Temporary, true),
            "DBus.Error.UnknownMethod" | "DBus.Error.UnknownInterface" => {
                (ErrorKind::Unsupported, true)
            }
            "ModemManager1.Error.Core.Unauthorized" | "DBus.Error.AccessDenied" => {
                (ErrorKind::Configuration, true)
            }
            "ModemManager1.Error.MobileEquipment.NotSupported"
            | "ModemManager1.Error.Core.Unsupported" => (ErrorKind::Unsupported, false),
            _ => (ErrorKind::Temporary, short.starts_with("DBus.Error.Spawn.")),
        };
        let why = if short.is_empty() { text.to_owned() } else { format!("{short}: {text}") };
        Self { kind, nothing_sent, why }
    }
}

/// One connection, joined anew where it was lost.
#[derive(Debug)]
pub(crate) struct Bus {
    address: Address,
    call_timeout: Duration,
    connection: Mutex<Option<Connection>>,
}

impl Bus {
    /// A bus that is joined at the first call. Calls end by themselves after `call_timeout`.
    pub(crate) fn new(address: Address, call_timeout: Span) -> Self {
        Self { address, call_timeout: call_timeout.to_std(), connection: Mutex::default() }
    }

    /// Calls a method of ModemManager.
    pub(crate) async fn call<B, R>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<R, Trouble>
    where
        B: Serialize + DynamicType + Sync,
        R: DeserializeOwned + Type,
    {
        let bus = self.join().await?;
        let called = bus.call_method(Some(MANAGER), path, Some(interface), method, body).await;
        let reply = called.map_err(|error| Trouble::of(&error))?;
        // There was an answer; that it cannot be read says nothing of what was done.
        reply.body().deserialize().map_err(|error| Trouble::of(&error).begun())
    }

    /// The properties of one interface, fresh.
    pub(crate) async fn properties(
        &self,
        path: &str,
        interface: &str,
    ) -> Result<Properties, Trouble> {
        self.call(path, PROPERTIES, "GetAll", &(interface,)).await.map_err(Trouble::harmless)
    }

    /// Every modem with its properties, by path.
    pub(crate) async fn modems(&self) -> Result<Vec<(String, Properties)>, Trouble> {
        let manager = "org.freedesktop.DBus.ObjectManager";
        let objects: ManagedObjects =
            self.call(ROOT, manager, "GetManagedObjects", &()).await.map_err(Trouble::harmless)?;
        let mut modems: Vec<(String, Properties)> = objects
            .into_iter()
            .filter_map(|(path, mut interfaces)| {
                let key = interfaces.keys().find(|name| name.as_str() == MODEM)?.clone();
                Some((path.to_string(), interfaces.remove(&key)?))
            })
            .collect();
        modems.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(modems)
    }

    async fn join(&self) -> Result<Connection, Trouble> {
        let mut connection = self.connection.lock().await;
        if let Some(open) = connection.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let builder = match &self.address {
            Address::System => Builder::system(),
            Address::Session => Builder::session(),
            Address::At(address) => Builder::address(address.as_str()),
        };
        let joining = Box::pin(builder.method_timeout(self.call_timeout).build());
        let joined = match tokio::time::timeout(JOIN, joining).await {
            Ok(Ok(joined)) => joined,
            Ok(Err(error)) => {
                let why = format!("the bus cannot be joined ({error})");
                return Err(Trouble::before(ErrorKind::Temporary, why));
            }
            Err(_) => {
                return Err(Trouble::before(ErrorKind::Temporary, "the bus does not answer"));
            }
        };
        *connection = Some(joined.clone());
        Ok(joined)
    }
}

/// A property that is a text or a path; empty where it is missing.
pub(crate) fn text(properties: &Properties, name: &str) -> String {
    match properties.get(name).map(|value| &**value) {
        Some(Variant::Str(text)) => text.to_string(),
        Some(Variant::ObjectPath(path)) => path.to_string(),
        _ => String::new(),
    }
}

/// A property that is a number.
pub(crate) fn number(properties: &Properties, name: &str) -> Option<i64> {
    match properties.get(name).map(|value| &**value) {
        Some(Variant::U32(number)) => Some(i64::from(*number)),
        Some(Variant::I32(number)) => Some(i64::from(*number)),
        _ => None,
    }
}

/// A path as an argument.
pub(crate) fn path(text: &str) -> Result<OwnedObjectPath, Trouble> {
    OwnedObjectPath::try_from(text)
        .map_err(|error| Trouble::before(ErrorKind::Temporary, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_tell_whether_anything_was_sent() {
        let kinds = |name: &str, text: &str| {
            let trouble = Trouble::named(&format!("org.freedesktop.{name}"), text);
            (trouble.kind, trouble.nothing_sent)
        };
        for (name, text, kind, nothing_sent) in [
            ("ModemManager1.Error.Core.WrongState", "", ErrorKind::Temporary, true),
            ("ModemManager1.Error.Core.Unauthorized", "", ErrorKind::Configuration, true),
            ("DBus.Error.ServiceUnknown", "", ErrorKind::Temporary, true),
            ("DBus.Error.Spawn.ExecFailed", "", ErrorKind::Temporary, true),
            ("DBus.Error.UnknownMethod", "No such interface", ErrorKind::Unsupported, true),
            ("DBus.Error.UnknownMethod", "Object does not exist at", ErrorKind::Temporary, true),
            // The modem or the network had it by then.
            ("ModemManager1.Error.Core.Aborted", "", ErrorKind::Temporary, false),
            ("ModemManager1.Error.Core.Failed", "Sending failed", ErrorKind::Temporary, false),
            ("ModemManager1.Error.MobileEquipment.NotSupported", "", ErrorKind::Unsupported, false),
            ("ModemManager1.Error.Message.Unknown", "", ErrorKind::Temporary, false),
            ("DBus.Error.NoReply", "", ErrorKind::Temporary, false),
            ("DBus.Error.Disconnected", "", ErrorKind::Temporary, false),
        ] {
            assert_eq!(kinds(name, text), (kind, nothing_sent), "{name} {text}");
        }
    }

    #[tokio::test]
    async fn a_bus_that_is_not_there_did_nothing() {
        let bus = Bus::new(Address::At("unix:path=/nonexistent/bus".to_owned()), Span::seconds(5));
        let trouble = bus.modems().await.unwrap_err();
        assert_eq!((trouble.kind, trouble.nothing_sent), (ErrorKind::Temporary, true));
        assert!(trouble.why.contains("the bus cannot be joined"), "{trouble:?}");
    }
}
