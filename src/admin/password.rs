//! Passwords: Argon2id (RFC 9106) with the usual parameters of the crate, off the async threads,
//! few at a time, since each takes 19 MiB.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

/// NIST SP 800-63B-4 asks for 15 characters where a password is all there is; 12 is our least.
pub const LEAST: usize = 12;
/// Longer ones only cost time.
const MOST: usize = 1024;

/// Hashes at the same time.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Compared with where there is nobody of a name, so that time tells nothing.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$\
                      F5n3jHCzuzDkUkfgm7tOTUlmpQOXQZz0hEg+ySXuyGI";

/// Why a password cannot be taken.
pub fn fault(password: &SecretString) -> Option<String> {
    let long = password.expose_secret().chars().count();
    (!(LEAST..=MOST).contains(&long))
        .then(|| format!("a password of {long} characters; allowed are {LEAST} to {MOST}"))
}

/// A password as it is stored, a PHC string.
pub async fn hash(password: SecretString) -> Result<String, String> {
    let _permit = AT_ONCE.acquire().await.map_err(|error| error.to_string())?;
    let work = move || {
        let hashed = Argon2::default().hash_password(password.expose_secret().as_bytes());
        hashed.map(|hash| hash.to_string()).map_err(|error| error.to_string())
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

/// True where `password` is the one of `stored`; `None` takes as long and is never true.
pub(super) async fn is_right(password: SecretString, stored: Option<String>) -> bool {
    let Ok(_permit) = AT_ONCE.acquire().await else { return false };
    let work = move || {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let bytes = password.expose_secret().as_bytes();
        let is_equal = bytes.len() <= MOST * 4
            && PasswordHash::new(&stored)
                .is_ok_and(|hash| Argon2::default().verify_password(bytes, &hash).is_ok());
        known && is_equal
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_same_password_is_right() {
        let stored = hash("correct horse battery".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(is_right("correct horse battery".into(), Some(stored.clone())).await);
        assert!(!is_right("correct horse batterY".into(), Some(stored)).await);
        assert!(!is_right("correct horse battery".into(), Some("garbage".into())).await);
        assert!(!is_right("nobody".into(), None).await);
        assert!(PasswordHash::new(NOBODY).is_ok(), "it takes as long as a real one");
    }

    #[test]
    fn a_password_has_a_length() {
        assert!(fault(&"elevenchars".into()).is_some());
        assert!(fault(&"twelve chars".into()).is_none());
        assert!(fault(&"\u{5bc6}".repeat(12).into()).is_none(), "characters, not bytes");
        assert!(fault(&"x".repeat(2000).into()).is_some());
    }
}
