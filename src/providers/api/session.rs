//! An API that wants a token.
//!
//! Invariant: a question whose token was refused is asked once more with a fresh one; an order never
//! is, it was turned away.

use super::{Api, Said, Token, token::Tokens};
use crate::domain::ErrorKind;
use crate::input::Section;
use crate::providers::{Answer, ReadError};
use crate::transport::http::{Rendered, Reply};
use secrecy::SecretString;
use serde_json::Value;

/// Whoever can get a token.
pub(in crate::providers) trait Login {
    /// Gets one for `api`, which is asked without any yet.
    fn token(&self, api: &Api) -> impl Future<Output = Result<Token, ReadError>> + Send;
}

/// A way to one API, with a token.
#[derive(Debug)]
pub(in crate::providers) struct Session<L> {
    /// The way without.
    pub(in crate::providers) api: Api,
    login: L,
    tokens: Tokens,
}

impl<L: Login> Session<L> {
    /// No token is fetched before something is asked.
    pub(in crate::providers) fn new(api: Api, login: L) -> Self {
        Self { api, login, tokens: Tokens::default() }
    }

    /// Asks, and gives back whatever came.
    pub(in crate::providers) async fn get(&self, request: &Rendered) -> Result<Reply, ReadError> {
        let (api, token) = self.open().await?;
        let reply = api.get(request).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        self.tokens.refuse(&token).await;
        let (api, _) = self.open().await?;
        Ok(api.get(request).await?)
    }

    /// Asks for values, as [`Api::ask`] does.
    pub(in crate::providers) async fn ask(&self, request: &Rendered) -> Result<Value, ReadError> {
        self.api.values(&self.get(request).await?)
    }

    /// Sends a frozen order, as [`Api::order`] does.
    pub(in crate::providers) async fn order(&self, frozen: &str) -> Result<Said, Answer> {
        let request = Rendered::thaw(frozen)?;
        let (api, token) = self.ready().await?;
        let said = api.send(&request).await?;
        self.admitted(&said, &token).await?;
        Ok(said)
    }

    /// Sends an order, as [`Api::deliver`] does.
    pub(in crate::providers) async fn deliver(
        &self,
        request: &Rendered,
    ) -> Result<(Said, Option<String>), Answer> {
        let (api, token) = self.ready().await?;
        let (said, location) = api.deliver(request).await?;
        self.admitted(&said, &token).await?;
        Ok((said, location))
    }

    /// The way under a token that may be good, and that token.
    async fn open(&self) -> Result<(Api, SecretString), ReadError> {
        let token = self.tokens.get(self.login.token(&self.api)).await?;
        let api = self.api.bearing(&token);
        Ok((api.map_err(|why| ReadError::new(ErrorKind::Configuration, why))?, token))
    }

    /// The same before an order: without a token none is sent.
    async fn ready(&self) -> Result<(Api, SecretString), Answer> {
        self.open().await.map_err(|error| Answer::NotSent { why: error.to_string() })
    }

    /// An order whose token was refused was not looked at.
    async fn admitted(&self, said: &Said, token: &SecretString) -> Result<(), Answer> {
        if said.status != 401 {
            return Ok(());
        }
        self.tokens.refuse(token).await;
        Err(said.turned_away("the token was refused"))
    }
}

/// The id and the secret of an API client, as OAuth 2 has them.
#[derive(Clone, Debug)]
pub(in crate::providers) struct Client {
    /// The id.
    pub(in crate::providers) id: String,
    /// The secret.
    pub(in crate::providers) secret: SecretString,
}

impl Client {
    /// Reads `client_id` and `client_secret`.
    pub(in crate::providers) fn read(s: &mut Section<'_>) -> Option<Self> {
        let id = s.required("client_id", "allowed is the id of the API client");
        let secret = s.required_secret("client_secret");
        Some(Self { id: id?, secret: secret? })
    }
}
