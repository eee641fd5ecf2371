//! Access tokens: fetched once, kept until nine tenths of their time are over, given up when they
//! are refused.

use super::json::{number, text};
use crate::clock::since_boot;
use crate::domain::Span;
use crate::providers::ReadError;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// A token as it was given.
#[derive(Clone, Debug)]
pub(in crate::providers) struct Token {
    /// The token.
    pub(in crate::providers) secret: SecretString,
    /// How long it is good for.
    pub(in crate::providers) lives: Span,
}

impl Token {
    /// The answer of a token endpoint (RFC 6749); where it does not say how long, a minute.
    pub(in crate::providers) fn granted(value: &Value) -> Result<Self, ReadError> {
        let secret = text(value, "/access_token")
            .ok_or_else(|| ReadError::unparseable("no access_token in the answer"))?;
        let lives = Span::seconds(number(value, "/expires_in").unwrap_or(60).max(1));
        Ok(Self { secret: secret.into(), lives })
    }
}

/// The token of one API.
#[derive(Debug, Default)]
pub(super) struct Tokens(tokio::sync::Mutex<Option<(Token, Span)>>);

impl Tokens {
    /// The token; where there is none that is still good, `fetch` gets one. Whoever comes
    /// meanwhile waits for it rather than fetching another.
    pub(super) async fn get(
        &self,
        fetch: impl Future<Output = Result<Token, ReadError>>,
    ) -> Result<SecretString, ReadError> {
        let mut kept = self.0.lock().await;
        if let Some((token, since)) = &*kept
            && since_boot().ms().saturating_sub(since.ms())
                < token.lives.times(9).divided_by(10).ms()
        {
            return Ok(token.secret.clone());
        }
        let token = fetch.await?;
        let secret = token.secret.clone();
        *kept = Some((token, since_boot()));
        Ok(secret)
    }

    /// `refused` is no longer good.
    pub(super) async fn refuse(&self, refused: &SecretString) {
        let mut kept = self.0.lock().await;
        if kept.as_ref().is_some_and(|(t, _)| t.secret.expose_secret() == refused.expose_secret()) {
            *kept = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_fetched_once_and_again_when_refused() {
        let tokens = Tokens::default();
        let give = |word: &'static str, lives| async move {
            Ok(Token { secret: word.to_owned().into(), lives })
        };
        let day = Span::days(1);
        let first = tokens.get(give("one", day)).await.unwrap();
        assert_eq!(tokens.get(give("two", day)).await.unwrap().expose_secret(), "one");
        tokens.refuse(&"other".to_owned().into()).await;
        assert_eq!(tokens.get(give("two", day)).await.unwrap().expose_secret(), "one");
        tokens.refuse(&first).await;
        assert_eq!(tokens.get(give("two", Span::ZERO)).await.unwrap().expose_secret(), "two");
        assert_eq!(tokens.get(give("three", day)).await.unwrap().expose_secret(), "three");
    }
}
