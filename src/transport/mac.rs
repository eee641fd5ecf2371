//! HMAC: to sign with, and to prove who signed.

pub(crate) use ring::hmac::{
    Algorithm, HMAC_SHA1_FOR_LEGACY_USE_ONLY as HMAC_SHA1, HMAC_SHA256, HMAC_SHA512,
};

use ring::hmac::{self, Key};
use secrecy::{ExposeSecret as _, SecretString};

/// HMAC-SHA256 of `text`.
pub(crate) fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&Key::new(HMAC_SHA256, key), text).as_ref().to_vec()
}

/// True where `given` is the HMAC of `text`. Takes as long whatever is wrong.
pub(crate) fn is_hmac(
    algorithm: Algorithm,
    secret: &SecretString,
    text: &[u8],
    given: &[u8],
) -> bool {
    let key = Key::new(algorithm, secret.expose_secret().as_bytes());
    hmac::verify(&key, text, given).is_ok()
}
