//! Text messages as modems carry them (3GPP TS 23.040): just enough for a simulated network.

use topupd::{clock::Clock, domain::Span};

/// One part of a message that is delivered: from `sender` (digits, perhaps with `+`), in UCS-2.
/// `part` is the number of the message, that of the part, and how many there are.
pub(crate) fn deliver(sender: &str, text: &str, part: (u8, u8, u8), seconds_ago: i64) -> String {
    let digits = sender.trim_start_matches('+');
    let many = part.2 > 1;
    let mut bytes = vec![0x00, if many { 0x44 } else { 0x04 }];
    bytes.push(u8::try_from(digits.len()).unwrap());
    bytes.push(if sender.starts_with('+') { 0x91 } else { 0x81 });
    bytes.extend(swapped(digits));
    // No protocol, UCS-2, and the time in UTC.
    bytes.extend([0x00, 0x08]);
    let at = Clock::System.now().minus(Span::seconds(seconds_ago)).to_utc().unwrap();
    bytes.extend(swapped(&at.format("%y%m%d%H%M%S00").to_string()));
    let mut data = if many { vec![5, 0, 3, part.0, part.2, part.1] } else { Vec::new() };
    data.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    bytes.push(u8::try_from(data.len()).unwrap());
    bytes.extend(data);
    hex(&bytes)
}

/// What became of the text with this number that went to `to`.
pub(crate) fn report(to: &str, reference: u8, state: u8) -> String {
    let digits = to.trim_start_matches('+');
    // No service centre; a report, and no more messages wait.
    let mut bytes = vec![0x00, 0x06, reference, u8::try_from(digits.len()).unwrap()];
    bytes.push(if to.starts_with('+') { 0x91 } else { 0x81 });
    bytes.extend(swapped(digits));
    let at = Clock::System.now().to_utc().unwrap().format("%y%m%d%H%M%S00").to_string();
    // When it was taken, and when that state came about.
    bytes.extend(swapped(&at));
    bytes.extend(swapped(&at));
    bytes.push(state);
    hex(&bytes)
}

/// Number and text of a message that is sent in the usual seven bits.
pub(crate) fn submitted(pdu: &str) -> (String, String) {
    let bytes = bytes(pdu).unwrap();
    let rest = &bytes[1 + usize::from(bytes[0])..];
    let validity = match rest[0] >> 3 & 3 {
        0 => 0,
        2 => 1,
        _ => 7,
    };
    let digits = usize::from(rest[2]);
    let number = &rest[4..4 + digits.div_ceil(2)];
    let number: String = number.iter().map(|b| format!("{:X}{:X}", b & 15, b >> 4)).collect();
    let plus = if rest[3] == 0x91 { "+" } else { "" };
    let after = &rest[4 + digits.div_ceil(2)..];
    assert_eq!(after[1], 0, "not in seven bits");
    let body = &after[2 + validity..];
    let septets = (0..usize::from(body[0])).map(|n| {
        let (at, shift) = (1 + n * 7 / 8, n * 7 % 8);
        let pair = u16::from(body[at]) | u16::from(*body.get(at + 1).unwrap_or(&0)) << 8;
        char::from(u8::try_from(pair >> shift & 0x7f).unwrap())
    });
    (format!("{plus}{}", &number[..digits]), septets.collect())
}

/// Digits in pairs, the second one first; an odd number is filled up with F.
fn swapped(digits: &str) -> Vec<u8> {
    let nibble = |c: u8| c - b'0';
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| nibble(pair[0]) | pair.get(1).map_or(0xf, |c| nibble(*c)) << 4).collect()
}

/// Upper-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A text as hexadecimal UCS-2.
pub(crate) fn ucs2(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("{unit:04X}")).collect()
}

/// The text of hexadecimal UCS-2.
pub(crate) fn from_ucs2(hex: &str) -> Option<String> {
    let units = hex.as_bytes().chunks(4).map(|four| {
        std::str::from_utf8(four).ok().and_then(|four| u16::from_str_radix(four, 16).ok())
    });
    String::from_utf16(&units.collect::<Option<Vec<u16>>>()?).ok()
}

/// The text of hexadecimal ASCII.
pub(crate) fn from_hex(hex: &str) -> Option<String> {
    String::from_utf8(bytes(hex)?).ok()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
