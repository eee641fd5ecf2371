//! The signature of a request: HMAC-SHA256 over time, request id, access code and body, as
//! lower-case hexadecimal digits.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Signs `parts`: timestamp, request id, access code, body.
pub(super) fn signature(secret: &str, parts: [&str; 4]) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|error| format!("the secret key cannot sign ({error})"))?;
    for part in parts {
        mac.update(part.as_bytes());
    }
    Ok(data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_signature_comes_out() {
        let parts =
            ["1628670421", "4ce9d9cdac9e4e17b3a2c66c358c1ce2", "11111", "{\"imsi\":\"326543826\"}"];
        assert_eq!(
            signature("1111", parts).unwrap(),
            "7eb765e27df5373dea2dbc8c41a7d9557743e46c8054750f3d851b3fd01d0835"
        );
        let [timestamp, id, code, _] = parts;
        let other = [timestamp, id, code, "{\"imsi\": \"326543826\"}"];
        assert_ne!(signature("1111", other), signature("1111", parts), "every byte counts");
    }
}
