//! Just enough MIME (RFC 2045 to 2047) to read back what was sent.

use data_encoding::{BASE64, HEXUPPER_PERMISSIVE};

/// The decoded, unfolded value of the first header called `name` in `entity`.
pub(super) fn header(entity: &str, name: &str) -> Option<String> {
    raw_header(entity, name).map(|value| decode_words(&value))
}

/// The decoded body of the first part of type `media_type` in `entity`, at any depth.
pub(super) fn part(entity: &str, media_type: &str) -> Option<String> {
    let content_type =
        raw_header(entity, "Content-Type").unwrap_or_else(|| "text/plain".to_owned());
    let body = entity.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if let Some(boundary) = parameter(&content_type, "boundary") {
        // The line end before a delimiter belongs to the delimiter.
        let delimiter = format!("\r\n--{boundary}");
        let framed = format!("\r\n{body}");
        return framed.split(&delimiter).skip(1).find_map(|inner| {
            inner.strip_prefix("\r\n").and_then(|inner| part(inner, media_type))
        });
    }
    let found = content_type.split(';').next().unwrap_or_default().trim();
    if !found.eq_ignore_ascii_case(media_type) {
        return None;
    }
    let encoding = raw_header(entity, "Content-Transfer-Encoding").unwrap_or_default();
    let bytes = match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => base64(body)?,
        "quoted-printable" => quoted_printable(body),
        _ => body.as_bytes().to_vec(),
    };
    String::from_utf8(bytes).ok().map(|text| text.replace("\r\n", "\n"))
}

fn raw_header(entity: &str, name: &str) -> Option<String> {
    let head = entity.split_once("\r\n\r\n").map_or(entity, |(head, _)| head);
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded.split("\r\n").find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|pair| {
        let (found, text) = pair.split_once('=')?;
        let text = text.trim().trim_matches('"').to_owned();
        found.trim().eq_ignore_ascii_case(name).then_some(text)
    })
}

/// Decodes `=?utf-8?b?…?=` and `=?utf-8?q?…?=`; space between two such words is not part of the text.
fn decode_words(value: &str) -> String {
    let mut out = String::new();
    let mut after_encoded = false;
    for word in value.split(' ') {
        let decoded = decode_word(word);
        let joins = after_encoded && decoded.is_some();
        if !out.is_empty() && !joins {
            out.push(' ');
        }
        after_encoded = decoded.is_some();
        out.push_str(decoded.as_deref().unwrap_or(word));
    }
    out
}

fn decode_word(word: &str) -> Option<String> {
    let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut fields = inner.splitn(3, '?');
    let (charset, encoding, text) = (fields.next()?, fields.next()?, fields.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = match encoding {
        "b" | "B" => base64(text)?,
        "q" | "Q" => quoted_printable(&text.replace('_', " ")),
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(compact.as_bytes()).ok()
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let joined = text.replace("=\r\n", "");
    let mut bytes = joined.bytes();
    let mut out = Vec::with_capacity(joined.len());
    while let Some(byte) = bytes.next() {
        let pair = if byte == b'=' { bytes.next().zip(bytes.next()) } else { None };
        match pair {
            Some((a, b)) => out.extend(HEXUPPER_PERMISSIVE.decode(&[a, b]).unwrap_or_default()),
            None => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_spaces_are_told_apart() {
        assert_eq!(
            decode_words("[topupd] =?utf-8?b?5L2Z?= =?utf-8?q?=E9=A2=9D?= x"),
            "[topupd] \u{4f59}\u{989d} x"
        );
        assert_eq!(decode_words("plain =?latin1?q?x?="), "plain =?latin1?q?x?=");
    }

    #[test]
    fn parts_are_found_and_decoded() {
        let entity = "Content-Type: multipart/alternative;\r\n boundary=\"b1\"\r\n\r\n\
            --b1\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\na=C3=A9 =\r\nb\r\n\
            --b1\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\r\n--b1--\r\n";
        assert_eq!(part(entity, "text/plain").as_deref(), Some("a\u{e9} b"));
        assert_eq!(part(entity, "text/html").as_deref(), Some("<b>"));
        assert_eq!(part(entity, "image/png"), None);
    }
}
