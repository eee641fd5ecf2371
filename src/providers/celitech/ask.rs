//! Asking CELITECH: tokens, questions, lists of several pages.

use super::Celitech;
use crate::domain::{ErrorKind, Iccid, Span};
use crate::providers::{
    ReadError,
    api::{Token, headers, no_answer, number, text},
};
use crate::transport::http::{CallError, Rendered, Reply};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// Pages of one list, at most.
const PAGES_AT_MOST: usize = 100;

impl Celitech {
    async fn fetch_token(&self) -> Result<Token, ReadError> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.config.client_id.as_str()),
            ("client_secret", self.config.client_secret.expose_secret()),
            ("scope", ""),
        ];
        let request = Rendered::form("/oauth2/token", &form);
        let value = self.auth.ask(&request, &HeaderMap::new()).await?;
        let secret = text(&value, "/access_token")
            .ok_or_else(|| ReadError::unparseable("no access_token in the answer"))?;
        let lives = Span::seconds(number(&value, "/expires_in").unwrap_or(60).max(1));
        Ok(Token { secret: secret.into(), lives })
    }

    pub(super) async fn headers(&self) -> Result<(HeaderMap, SecretString), ReadError> {
        let token = self.tokens.get(self.fetch_token()).await?;
        let bearer = format!("Bearer {}", token.expose_secret());
        let headers = headers(&[("authorization", &bearer)])
            .map_err(|why| ReadError::new(ErrorKind::Configuration, why))?;
        Ok((headers, token))
    }

    /// Asks; where the token was refused, once more with a fresh one.
    async fn get(&self, request: &Rendered) -> Result<Reply, ReadError> {
        let (headers, token) = self.headers().await?;
        let failed = |error: CallError| no_answer(&error);
        let reply = self.api.get(request, &headers).await.map_err(failed)?;
        if reply.status != 401 {
            return Ok(reply);
        }
        self.tokens.refuse(&token).await;
        let (headers, _) = self.headers().await?;
        self.api.get(request, &headers).await.map_err(failed)
    }

    pub(super) async fn ask(&self, request: &Rendered) -> Result<Value, ReadError> {
        let reply = self.get(request).await?;
        self.api.values(&reply)
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
