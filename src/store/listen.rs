//! Words between instances over PostgreSQL's LISTEN and NOTIFY. They carry no data, and a lost one
//! costs a second: everything that is due is in the rows.

use super::{Dialect, Store, StoreError};
use secrecy::ExposeSecret as _;
use sqlx::postgres::PgListener;

/// The channel of the database.
const CHANNEL: &str = "topupd";

/// A connection of its own that hears what other instances say.
#[derive(Debug)]
pub struct Ear(PgListener);

impl Store {
    /// Listens; `None` where there is nobody else to hear.
    pub async fn listen(&self) -> Result<Option<Ear>, StoreError> {
        let Some(url) = &self.url else { return Ok(None) };
        let mut listener = PgListener::connect(url.expose_secret()).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Ear(listener)))
    }

    /// Says `words` to everybody who listens; nothing on SQLite.
    pub async fn say_aloud(&self, words: &str) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            sqlx::query("SELECT CAST(pg_notify($1, $2) AS TEXT)")
                .bind(CHANNEL)
                .bind(words)
                .execute(&self.writer())
                .await?;
        }
        Ok(())
    }
}

impl Ear {
    /// The next words; `None` where the connection was lost and something may have been missed.
    pub async fn hear(&mut self) -> Result<Option<String>, StoreError> {
        let heard = self.0.try_recv().await?;
        Ok(heard.map(|words| words.payload().to_owned()))
    }
}
