//! A modem that speaks AT commands over an abstract socket, and the network behind it.

use super::pdu;
use std::{
    collections::{BTreeMap, VecDeque},
    io::{Read as _, Write as _},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long the network takes for everything.
const PAUSE: Duration = Duration::from_millis(100);

/// The modem's number for every text that is sent.
pub(crate) const REFERENCE: u8 = 7;

/// What the network does with a code or with an answer to a menu.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// `+CUSD: n,"text"`.
    Says(u8, &'static str),
    /// `+CUSD: n` without a text.
    Bare(u8),
    /// `+CUSD: 0` with a text whose letters are written as UCS-2 twice.
    Leaks(&'static str),
    /// The modem takes it and the network never answers.
    Nothing,
    /// The modem itself says nothing.
    Mute,
    /// The modem answers `ERROR`.
    Fails,
    /// The network refuses a text, with this cause.
    Refuses(u16),
    /// The network takes a text, and reports this state of it.
    Reports(u8),
    /// One message from a sender, in parts.
    Texts(&'static str, &'static [&'static str]),
    /// A message that the network took an hour ago.
    Stale(&'static str, &'static str),
}

/// A SIM in a modem, and the network's habits.
#[derive(Debug)]
pub(crate) struct Simulator {
    name: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    imei: String,
    iccid: String,
    ucs2: bool,
    codes: BTreeMap<String, VecDeque<Does>>,
    stored: BTreeMap<u8, String>,
    messages: u8,
    seen: Vec<String>,
    wires: Vec<UnixStream>,
}

impl Simulator {
    /// Listens; ModemManager finds it under [`Self::port`].
    pub(crate) fn start(imei: &str, iccid: &str, ucs2: bool) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("topupd-{}-{count}", std::process::id());
        // The prefix is part of the name that ModemManager connects to.
        let address = SocketAddr::from_abstract_name(format!("abstract:{name}")).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let (imei, iccid) = (imei.to_owned(), iccid.to_owned());
        let shared = Arc::new(Mutex::new(Shared { imei, iccid, ucs2, ..Shared::default() }));
        let inner = shared.clone();
        std::thread::spawn(move || {
            for wire in listener.incoming().flatten() {
                inner.lock().unwrap().wires.push(wire.try_clone().unwrap());
                let inner = inner.clone();
                std::thread::spawn(move || serve(wire, &inner));
            }
        });
        Self { name, shared }
    }

    /// The name of its port.
    pub(crate) fn port(&self) -> String {
        format!("abstract:{}", self.name)
    }

    /// What comes of a code, of an answer to a menu, or of a text `TO TEXT`; each time the next one,
    /// and the last for ever.
    pub(crate) fn on(&self, asked: &str, does: &[Does]) {
        let does = does.iter().cloned().collect();
        self.shared.lock().unwrap().codes.insert(asked.to_owned(), does);
    }

    /// Every code, answer and text so far; `cancel` for an ended session.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.lock().unwrap().seen.clone()
    }

    /// A message comes in by itself.
    pub(crate) fn text(&self, sender: &str, parts: &[&str]) {
        deliver(&self.shared, sender, parts, 0);
    }

    /// How many messages the SIM holds.
    pub(crate) fn stored(&self) -> usize {
        self.shared.lock().unwrap().stored.len()
    }
}

impl Shared {
    fn say(&mut self, text: &str) {
        for wire in &mut self.wires {
            wire.write_all(format!("\r\n{text}\r\n").as_bytes()).ok();
        }
    }

    /// What the network does next; `None` where nothing was arranged.
    fn next(&mut self, asked: &str) -> Option<Does> {
        self.seen.push(asked.to_owned());
        let does = self.codes.get_mut(asked)?;
        if does.len() > 1 { does.pop_front() } else { does.front().cloned() }
    }
}

/// What the network does, a while later as on a real one.
fn network(shared: &Arc<Mutex<Shared>>, does: Option<Does>) {
    let Some(does) = does else { return };
    let shared = shared.clone();
    std::thread::spawn(move || {
        std::thread::sleep(PAUSE);
        let ucs2 = shared.lock().unwrap().ucs2;
        let written = |text: &str| if ucs2 { pdu::ucs2(text) } else { text.to_owned() };
        let coding = if ucs2 { 72 } else { 15 };
        let said = match does {
            Does::Says(way, text) => format!("+CUSD: {way},\"{}\",{coding}", written(text)),
            Does::Leaks(text) => format!("+CUSD: 0,\"{}\",{coding}", written(&pdu::ucs2(text))),
            Does::Bare(way) => format!("+CUSD: {way}"),
            Does::Texts(sender, parts) => return deliver(&shared, sender, parts, 0),
            Does::Stale(sender, text) => return deliver(&shared, sender, &[text], 3600),
            Does::Nothing | Does::Mute | Does::Fails | Does::Refuses(_) | Does::Reports(_) => {
                return;
            }
        };
        shared.lock().unwrap().say(&said);
    });
}

/// A while later the network says what became of a text.
fn report(shared: &Arc<Mutex<Shared>>, to: String, state: u8) {
    let shared = shared.clone();
    std::thread::spawn(move || {
        std::thread::sleep(PAUSE);
        let pdu = pdu::report(&to, REFERENCE, state);
        shared.lock().unwrap().say(&format!("+CDS: {}\r\n{pdu}", pdu.len() / 2 - 1));
    });
}

/// A message comes in, part after part.
fn deliver(shared: &Mutex<Shared>, sender: &str, parts: &[&str], seconds_ago: i64) {
    let count = u8::try_from(parts.len()).unwrap();
    shared.lock().unwrap().messages += 1;
    for (n, text) in (1..).zip(parts) {
        let mut shared = shared.lock().unwrap();
        let free = (1..).find(|index| !shared.stored.contains_key(index)).unwrap();
        let part = (shared.messages, n, count);
        shared.stored.insert(free, pdu::deliver(sender, text, part, seconds_ago));
        shared.say(&format!("+CMTI: \"SM\",{free}"));
        drop(shared);
        std::thread::sleep(PAUSE);
    }
}

/// One connection, until its end.
fn serve(mut wire: UnixStream, shared: &Arc<Mutex<Shared>>) {
    let (mut line, mut byte, mut pdu) = (Vec::new(), [0_u8], false);
    while wire.read(&mut byte).is_ok_and(|n| n == 1) {
        match (byte[0], pdu) {
            (0x1a, true) => {
                pdu = false;
                let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
                let (to, text) = pdu::submitted(text.trim());
                let asked = format!("{to} {text}");
                let does = shared.lock().unwrap().next(&asked);
                match does {
                    Some(Does::Fails) => shared.lock().unwrap().say("+CMS ERROR: 38"),
                    Some(Does::Refuses(cause)) => {
                        shared.lock().unwrap().say(&format!("+CMS ERROR: {cause}"));
                    }
                    Some(Does::Mute) => {}
                    Some(Does::Reports(state)) => {
                        shared.lock().unwrap().say(&format!("+CMGS: {REFERENCE}\r\n\r\nOK"));
                        report(shared, to, state);
                    }
                    does => {
                        shared.lock().unwrap().say(&format!("+CMGS: {REFERENCE}\r\n\r\nOK"));
                        network(shared, does);
                    }
                }
            }
            (b'\r' | b'\n', false) => {
                let command = String::from_utf8(std::mem::take(&mut line)).unwrap();
                if !command.trim().is_empty() {
                    pdu = answer(command.trim(), &mut wire, shared);
                }
            }
            (byte, _) => line.push(byte),
        }
    }
}

/// Answers one command; true where a message follows.
fn answer(command: &str, wire: &mut UnixStream, all: &Arc<Mutex<Shared>>) -> bool {
    let mut shared = all.lock().unwrap();
    if command.starts_with("AT+CMGS=") {
        wire.write_all(b"\r\n> ").ok();
        return true;
    }
    if let Some(rest) = command.strip_prefix("AT+CUSD=1,\"") {
        let asked = rest.split('"').next().unwrap_or_default();
        // ModemManager spells a code otherwise where the modem does not take it.
        let letters = if shared.ucs2 { pdu::from_ucs2(asked) } else { pdu::from_hex(asked) };
        let does = shared.next(&letters.unwrap_or_else(|| asked.to_owned()));
        if matches!(does, Some(Does::Mute)) {
            return false;
        }
        let word = if matches!(does, Some(Does::Fails)) { "ERROR" } else { "OK" };
        wire.write_all(format!("\r\n{word}\r\n").as_bytes()).ok();
        network(all, does);
        return false;
    }
    if command.starts_with("AT+CUSD=2") {
        shared.seen.push("cancel".to_owned());
    }
    let reply = plain(command, &mut shared);
    wire.write_all(format!("\r\n{reply}\r\n").as_bytes()).ok();
    false
}

/// Commands that ask the modem alone.
fn plain(command: &str, shared: &mut Shared) -> String {
    let said = match command {
        "AT+CGMI" | "AT+GMI" => "Simulated".to_owned(),
        "AT+CGMM" | "AT+GMM" => "SIM-1".to_owned(),
        "AT+CGMR" | "AT+GMR" => "1.0".to_owned(),
        "AT+CGSN" | "AT+GSN" => shared.imei.clone(),
        "AT+GCAP" => "+GCAP: +CGSM".to_owned(),
        "AT+CIMI" => "310260123456789".to_owned(),
        "AT+CPIN?" => "+CPIN: READY".to_owned(),
        "AT+CFUN?" => "+CFUN: 1".to_owned(),
        "AT+CSQ" => "+CSQ: 20,99".to_owned(),
        "AT+CREG?" => "+CREG: 2,1,\"00AA\",\"0000BBCC\"".to_owned(),
        "AT+CGREG?" => "+CGREG: 2,1,\"00AA\",\"0000BBCC\"".to_owned(),
        "AT+COPS?" => "+COPS: 0,2,\"310260\"".to_owned(),
        "AT+COPS=3,2;+COPS?" => "+COPS: 0,2,\"310260\"".to_owned(),
        "AT+COPS=3,0;+COPS?" => "+COPS: 0,0,\"Simulated\"".to_owned(),
        "AT+CSCS=?" if shared.ucs2 => "+CSCS: (\"IRA\",\"GSM\",\"UCS2\")".to_owned(),
        "AT+CSCS=?" => "+CSCS: (\"IRA\",\"GSM\")".to_owned(),
        "AT+CSCS?" if shared.ucs2 => "+CSCS: \"UCS2\"".to_owned(),
        "AT+CSCS?" => "+CSCS: \"IRA\"".to_owned(),
        "AT+CUSD=?" => "+CUSD: (0,1,2)".to_owned(),
        "AT+CUSD?" => "+CUSD: 0".to_owned(),
        "AT+CNMI=?" => "+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)".to_owned(),
        "AT+CMGF=?" => "+CMGF: (0)".to_owned(),
        "AT+CPMS=?" => "+CPMS: (\"SM\"),(\"SM\"),(\"SM\")".to_owned(),
        "AT+CPMS?" => "+CPMS: \"SM\",0,30,\"SM\",0,30,\"SM\",0,30".to_owned(),
        "AT+CMGL=4" => {
            let row =
                |(n, pdu): (&u8, &String)| format!("+CMGL: {n},1,,{}\r\n{pdu}", pdu.len() / 2 - 1);
            shared.stored.iter().map(row).collect::<Vec<_>>().join("\r\n")
        }
        // EF_ICCID, its digits in swapped pairs.
        _ if command.starts_with("AT+CRSM=176,12258") => {
            let filled = format!("{:F<20}", shared.iccid);
            let pairs = filled.as_bytes().chunks(2);
            let swapped: String =
                pairs.flat_map(|pair| [char::from(pair[1]), char::from(pair[0])]).collect();
            format!("+CRSM: 144,0,\"{swapped}\"")
        }
        _ if command.starts_with("AT+CRSM") => return "+CME ERROR: 4".to_owned(),
        _ if command.starts_with("AT+CMGR=") => {
            match command[8..].parse().ok().and_then(|n: u8| shared.stored.get(&n)) {
                Some(pdu) => format!("+CMGR: 0,,{}\r\n{pdu}", pdu.len() / 2 - 1),
                None => return "+CMS ERROR: 321".to_owned(),
            }
        }
        _ if command.starts_with("AT+CMGD=") => {
            let index = command[8..].split(',').next().and_then(|n| n.parse().ok());
            index.and_then(|n: u8| shared.stored.remove(&n));
            String::new()
        }
        _ if command.ends_with("=?") => return "ERROR".to_owned(),
        _ => String::new(),
    };
    if said.is_empty() { "OK".to_owned() } else { format!("{said}\r\n\r\nOK") }
}
