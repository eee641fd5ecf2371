//! `[hooks.NAME]`: providers that call us. What they say is never believed; it only makes us look.

use crate::input::Section;
use crate::providers::ProviderConfig;
use crate::transport::hook::{HookCall, HookError, SECRET_MIN};
use crate::transport::mac::{Algorithm, HMAC_SHA256, HMAC_SHA512, is_hmac};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;

/// How a provider proves that it is the one who calls.
#[derive(Clone, Debug)]
pub struct Hook {
    secret: SecretString,
    sign: Sign,
}

/// The ways there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// The secret itself, as `?token=` or `Authorization: Bearer`, for providers that do not sign.
    Token,
    /// Reloadly: HMAC-SHA256 over the body, a colon and `X-Reloadly-Request-Timestamp`, in hex.
    Reloadly,
    /// Airalo: HMAC-SHA512 over the body, in hex.
    Airalo,
}

const WORDS: [(&str, Sign); 3] =
    [("token", Sign::Token), ("reloadly", Sign::Reloadly), ("airalo", Sign::Airalo)];

/// Reads every `[hooks.NAME]`, each of which must be named like a provider.
pub(super) fn read(
    section: Option<Section<'_>>,
    providers: &BTreeMap<String, ProviderConfig>,
) -> BTreeMap<String, Hook> {
    let Some(mut section) = section else { return BTreeMap::new() };
    let mut hooks = BTreeMap::new();
    for (name, mut table) in section.sections() {
        let provider = providers.get(&name);
        if provider.is_none() {
            let known: Vec<&str> = providers.keys().map(String::as_str).collect();
            let allowed = format!("allowed are names of providers: {}", known.join(", "));
            section.fault(&name, allowed);
        }
        let usual = match provider.map(ProviderConfig::kind) {
            Some("reloadly") => Sign::Reloadly,
            Some("airalo") => Sign::Airalo,
            _ => Sign::Token,
        };
        let sign = table.word("sign", &WORDS).unwrap_or(usual);
        let secret = table.required_secret("secret");
        let is_short = |secret: &SecretString| secret.expose_secret().len() < SECRET_MIN;
        if secret.as_ref().is_some_and(is_short) {
            let allowed = format!("allowed are secrets of at least {SECRET_MIN} characters");
            table.fault_hidden("secret", allowed);
        }
        table.finish();
        hooks.extend(secret.map(|secret| (name, Hook { secret, sign })));
    }
    hooks
}

impl Hook {
    /// Proves who called.
    pub fn prove(&self, call: &HookCall) -> Result<(), HookError> {
        let proved = match self.sign {
            Sign::Token => call.bears(&self.secret),
            Sign::Reloadly => {
                let at = call.header("x-reloadly-request-timestamp").unwrap_or_default();
                let signed = [&call.body[..], b":", at.as_bytes()].concat();
                self.is_signed(HMAC_SHA256, &signed, call.header("x-reloadly-signature"))
            }
            Sign::Airalo => {
                self.is_signed(HMAC_SHA512, &call.body, call.header("airalo-signature"))
            }
        };
        if proved { Ok(()) } else { Err(HookError::Unproven("nothing proves who called")) }
    }

    fn is_signed(&self, algorithm: Algorithm, signed: &[u8], signature: Option<&str>) -> bool {
        let given = signature
            .and_then(|hex| data_encoding::HEXLOWER_PERMISSIVE.decode(hex.trim().as_bytes()).ok());
        given.is_some_and(|given| is_hmac(algorithm, &self.secret, signed, &given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use hmac::{Hmac, KeyInit, Mac};

    fn hook(sign: Sign) -> Hook {
        Hook { secret: "0123456789abcdef".to_owned().into(), sign }
    }

    fn call(headers: &[(&str, &str)]) -> HookCall {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        HookCall { headers, body: b"{}".to_vec(), ..HookCall::default() }
    }

    fn hex<M: Mac + KeyInit>(signed: &[u8]) -> String {
        let mac = <M as KeyInit>::new_from_slice(b"0123456789abcdef").unwrap();
        HEXLOWER.encode(&mac.chain_update(signed).finalize().into_bytes())
    }

    #[test]
    fn only_who_knows_the_secret_is_heard() {
        let reloadly = hex::<Hmac<sha2::Sha256>>(b"{}:1795169040");
        let airalo = hex::<Hmac<sha2::Sha512>>(b"{}");
        let at = ("x-reloadly-request-timestamp", "1795169040");
        let later = ("x-reloadly-request-timestamp", "1795169041");
        let signed = ("x-reloadly-signature", reloadly.as_str());
        for (sign, headers, good) in [
            (Sign::Token, vec![("authorization", "Bearer 0123456789abcdef")], true),
            (Sign::Token, vec![("authorization", "Bearer 0123456789abcdee")], false),
            (Sign::Token, vec![], false),
            (Sign::Reloadly, vec![at, signed], true),
            (Sign::Reloadly, vec![later, signed], false),
            (Sign::Reloadly, vec![signed], false),
            (Sign::Airalo, vec![("airalo-signature", airalo.as_str())], true),
            (Sign::Airalo, vec![("airalo-signature", reloadly.as_str())], false),
            (Sign::Airalo, vec![("airalo-signature", "")], false),
            (Sign::Airalo, vec![], false),
        ] {
            assert_eq!(hook(sign).prove(&call(&headers)).is_ok(), good, "{sign:?} {headers:?}");
        }
        let mut asked = call(&[]);
        asked.query = vec![("token".to_owned(), "0123456789abcdef".to_owned())];
        assert!(hook(Sign::Token).prove(&asked).is_ok());
    }
}
