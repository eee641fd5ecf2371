//! Seals codes that are money, with a key that lies beside the database and not in it.
//!
//! ChaCha20-Poly1305 (RFC 8439) with a random nonce; what a sealed text belongs to is part of what
//! is authenticated, so that one cannot be put in another's place.
//!
//! Invariant: a code is sealed before it is written anywhere; nothing prints what is inside.

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac::{self, HMAC_SHA256, Key},
    rand::{SecureRandom as _, SystemRandom},
};
use secrecy::{ExposeSecret as _, SecretSlice};
use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

const KEY_LEN: usize = 32;

/// Nothing can be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file cannot be read or made.
    #[error("the key of stored codes, {path}, cannot be used: {why}")]
    Key {
        /// Its path.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What was sealed does not open: another key, or another place.
    #[error("a stored code does not open: it was sealed with another key, or was changed")]
    Broken,
}

/// The key's place; the key is made when the first code has to be kept.
#[derive(Debug)]
pub struct Vault {
    path: PathBuf,
    key: OnceLock<SecretSlice<u8>>,
}

impl Vault {
    /// The vault whose key lies at `path`.
    pub fn at(path: PathBuf) -> Self {
        Self { path, key: OnceLock::new() }
    }

    /// Seals `text` as belonging to `owner`: base64 of nonce and ciphertext.
    pub fn seal(&self, owner: &str, text: &str) -> Result<String, VaultError> {
        let key = self.key(true)?;
        let mut nonce = [0_u8; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| VaultError::Broken)?;
        let mut bytes = text.as_bytes().to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(owner.as_bytes()),
            &mut bytes,
        )
        .map_err(|_| VaultError::Broken)?;
        let whole = [nonce.as_slice(), &bytes].concat();
        Ok(data_encoding::BASE64.encode(&whole))
    }

    /// Opens what was sealed for `owner`.
    pub fn open(&self, owner: &str, sealed: &str) -> Result<String, VaultError> {
        let key = self.key(false)?;
        let whole =
            data_encoding::BASE64.decode(sealed.as_bytes()).map_err(|_| VaultError::Broken)?;
        let (nonce, bytes) = whole.split_at_checked(NONCE_LEN).ok_or(VaultError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Broken)?;
        let mut bytes = bytes.to_vec();
        let text = key
            .open_in_place(nonce, Aad::from(owner.as_bytes()), &mut bytes)
            .map_err(|_| VaultError::Broken)?;
        String::from_utf8(text.to_vec()).map_err(|_| VaultError::Broken)
    }

    /// A proof that `text` was written here: 128 bits of HMAC-SHA256 with a key derived from the
    /// vault's, in hexadecimal.
    pub fn sign(&self, purpose: &str, text: &str) -> Result<String, VaultError> {
        let root = Key::new(HMAC_SHA256, self.bytes(true)?);
        let own = Key::new(HMAC_SHA256, hmac::sign(&root, purpose.as_bytes()).as_ref());
        let tag = hmac::sign(&own, text.as_bytes());
        let half = tag.as_ref().get(..16).unwrap_or_default();
        Ok(data_encoding::HEXLOWER.encode(half))
    }

    fn key(&self, make: bool) -> Result<LessSafeKey, VaultError> {
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, self.bytes(make)?)
            .map_err(|_| self.bad(format!("it does not hold {KEY_LEN} bytes")))?;
        Ok(LessSafeKey::new(unbound))
    }

    fn bytes(&self, make: bool) -> Result<&[u8], VaultError> {
        let bytes = match self.key.get() {
            Some(known) => known,
            None => {
                let read = read_or_make(&self.path, make);
                let read = read.map_err(|error| self.bad(error.to_string()))?;
                self.key.get_or_init(|| read.into())
            }
        };
        Ok(bytes.expose_secret())
    }

    fn bad(&self, why: String) -> VaultError {
        VaultError::Key { path: self.path.clone(), why }
    }
}

/// Where two processes make it at once, both end up with the same.
fn read_or_make(path: &Path, make: bool) -> std::io::Result<Vec<u8>> {
    if make && !path.exists() {
        let mut key = [0_u8; KEY_LEN];
        getrandom::fill(&mut key).map_err(std::io::Error::other)?;
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                file.write_all(&key)?;
                file.sync_all()?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    std::fs::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_sealed_opens_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let vault = Vault::at(path.clone());
        assert!(
            matches!(vault.open("t_1", "x"), Err(VaultError::Key { .. })),
            "no key is made to open"
        );
        let sealed = vault.seal("t_1", "1234 5678").unwrap();
        assert!(!sealed.contains("1234"));
        assert_ne!(sealed, vault.seal("t_1", "1234 5678").unwrap(), "a nonce of its own");
        let again = Vault::at(path.clone());
        assert_eq!(again.open("t_1", &sealed).unwrap(), "1234 5678");
        assert!(matches!(again.open("t_2", &sealed), Err(VaultError::Broken)));
        for broken in ["", "AAAA", "%", &sealed[4..]] {
            assert!(matches!(again.open("t_1", broken), Err(VaultError::Broken)), "{broken}");
        }
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, [0; KEY_LEN]).unwrap();
        assert!(matches!(Vault::at(path.clone()).open("t_1", &sealed), Err(VaultError::Broken)));
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(Vault::at(path).seal("t_1", "x"), Err(VaultError::Key { .. })));
    }
}
