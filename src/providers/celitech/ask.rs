//! Asking CELITECH: tokens, questions, lists of several pages.

use super::Celitech;
use crate::domain::Iccid;
use crate::providers::{
    ReadError,
    api::{Api, Client, Login, Token, text},
};
use crate::transport::http::Rendered;
use secrecy::ExposeSecret as _;
use serde_json::Value;

/// Pages of one list, at most.
const PAGES_AT_MOST: usize = 100;

/// Whoever asks.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) auth: Api,
    pub(super) client: Client,
}

impl Login for Account {
    async fn token(&self, _: &Api) -> Result<Token, ReadError> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client.id.as_str()),
            ("client_secret", self.client.secret.expose_secret()),
            ("scope", ""),
        ];
        Token::granted(&self.auth.ask(&Rendered::form("/oauth2/token", &form)).await?)
    }
}

impl Celitech {
    pub(super) async fn ask(&self, request: &Rendered) -> Result<Value, ReadError> {
        self.session.ask(request).await
    }

    /// The members of a list, all pages.
    pub(super) async fn all(
        &self,
        path: &str,
        key: &str,
        filter: &[(&str, &str)],
    ) -> Result<Vec<Value>, ReadError> {
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_AT_MOST {
            let mut query = filter.to_vec();
            query.extend(cursor.as_deref().map(|cursor| ("afterCursor", cursor)));
            let answer = self.ask(&Rendered::query(path, &query)).await?;
            let page = answer.get(key).and_then(Value::as_array);
            let page = page.ok_or_else(|| ReadError::unparseable(format!("no {key} in it")))?;
            rows.extend_from_slice(page);
            cursor = text(&answer, "/afterCursor").filter(|_| !page.is_empty());
            if cursor.is_none() {
                return Ok(rows);
            }
        }
        Err(ReadError::unparseable(format!("the list of {key} has no end")))
    }

    /// The purchases of an eSIM.
    pub(super) async fn purchases(&self, iccid: &Iccid) -> Result<Vec<Value>, ReadError> {
        self.all("/purchases", "purchases", &[("iccid", iccid.as_str()), ("limit", "100")]).await
    }
}
