//! Codes that are dialled: one session at a time, ended whatever comes of it.
//!
//! Facts: ModemManager 1.20's interface description, and its behaviour with a simulated modem. It
//! never gives up waiting for the network by itself, and refuses every further session meanwhile.

use super::bus::{Bus, Trouble, number};
use std::time::Duration;
use tokio::time::Instant;

const USSD: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd";
/// The states of a session; 0 is "unknown", 1 "idle".
const ACTIVE: i64 = 2;
const WAITS_FOR_US: i64 = 3;
/// A session that is shorter had no second copy.
const SURELY_ONCE: Duration = Duration::from_secs(9);
/// How long ending a session may take.
const END: Duration = Duration::from_secs(10);

/// What the network said last in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Talk {
    /// Its words.
    pub(crate) text: String,
    /// It may be about a second copy of the code: ModemManager gives it to the modem again, spelled
    /// otherwise, where the modem says nothing for ten seconds.
    pub(crate) doubled: bool,
}

/// Dials `code`, and gives the menus that follow the answers in `respond`.
pub(crate) async fn ask(
    bus: &Bus,
    modem: &str,
    code: &str,
    respond: &[String],
    limit: Duration,
) -> Result<Talk, Trouble> {
    let session = Session { bus, modem };
    // What an earlier run, a crash or the network itself left open.
    session.end().await.map_err(Trouble::harmless)?;
    let began = Instant::now();
    let talked = tokio::time::timeout(limit, session.talk(code, respond)).await;
    let doubled = began.elapsed() >= SURELY_ONCE;
    if let Err(trouble) = session.end().await {
        tracing::warn!(why = %trouble.why, "a USSD session could not be ended");
    }
    let text = talked.unwrap_or_else(|_| Err(Trouble::silence(limit)))?;
    Ok(Talk { text, doubled })
}

struct Session<'a> {
    bus: &'a Bus,
    modem: &'a str,
}

impl Session<'_> {
    async fn talk(&self, code: &str, respond: &[String]) -> Result<String, Trouble> {
        let mut text = self.call("Initiate", code).await?;
        for answer in respond {
            if self.state().await.map_err(Trouble::begun)? != Some(WAITS_FOR_US) {
                break;
            }
            text = self.call("Respond", answer).await.map_err(Trouble::begun)?;
        }
        Ok(text)
    }

    async fn call(&self, method: &str, text: &str) -> Result<String, Trouble> {
        self.bus.call(self.modem, USSD, method, &(text,)).await
    }

    async fn state(&self) -> Result<Option<i64>, Trouble> {
        Ok(number(&self.bus.properties(self.modem, USSD).await?, "State"))
    }

    /// Ends a session that is open, ours or not: the modem has only one.
    async fn end(&self) -> Result<(), Trouble> {
        let ending = async {
            if matches!(self.state().await?, Some(ACTIVE | WAITS_FOR_US)) {
                self.bus.call::<_, ()>(self.modem, USSD, "Cancel", &()).await?;
            }
            Ok(())
        };
        tokio::time::timeout(END, ending).await.unwrap_or_else(|_| Err(Trouble::silence(END)))
    }
}
