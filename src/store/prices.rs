//! What payers sell and what orders would cost there, as they last said.

use super::{
    Dialect, Store, StoreError,
    rows::{Cells, Columns},
};
use crate::domain::{Money, Price, Span, SubscriptionId, Timestamp, WantedPrice};

/// A price that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPrice {
    /// The line that asked.
    pub subscription: SubscriptionId,
    /// What is asked.
    pub wanted: WantedPrice,
}

/// What a payer answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceAnswer {
    /// What it would cost; `None` where it named no price.
    pub cost: Option<Money>,
    /// A bonus or promotion, in its words.
    pub bonus: Option<String>,
    /// How the figure was made, or why there is none.
    pub why: String,
}

impl Store {
    /// Asks for prices. One that is asked for already is asked anew.
    pub async fn want_prices(
        &self,
        subscription: &SubscriptionId,
        wanted: &[WantedPrice],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for price in wanted {
            sqlx::query(
                "INSERT INTO prices (payer, product, amount_minor, currency, subscription_id, wanted_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (payer, product, amount_minor, currency) DO UPDATE SET \
                 subscription_id = $5, wanted_at = $6, answered_at = NULL, claimed_until = NULL, cost_minor = NULL, \
                 cost_currency = NULL, bonus = NULL, why = NULL",
            )
            .bind(&price.payer)
            .bind(price.product.clone().unwrap_or_default())
            .bind(price.amount.minor())
            .bind(price.amount.currency().code())
            .bind(subscription.as_str())
            .bind(now.ms())
            .execute(&self.writer())
            .await?;
        }
        Ok(())
    }

    /// The prices that `payer` has not answered, nobody else's to ask until `until`; what nobody
    /// waits for any more is left out.
    pub async fn open_prices(
        &self,
        payer: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<OpenPrice>, StoreError> {
        let rows = sqlx::query(
            "SELECT product, amount_minor, currency, subscription_id FROM prices \
             WHERE payer = $1 AND answered_at IS NULL AND wanted_at > $2 ORDER BY wanted_at LIMIT 100",
        )
        .bind(payer)
        .bind(now.minus(Span::minutes(10)).ms())
        .fetch_all(self.reader())
        .await?;
        if rows.is_empty() || self.dialect() == Dialect::Sqlite {
            return rows.iter().map(|row| open_price(payer, row)).collect();
        }
        let rows = sqlx::query(
            "WITH due AS MATERIALIZED (SELECT payer AS p, product AS q, amount_minor AS a, currency AS c \
             FROM prices WHERE payer = $1 AND answered_at IS NULL AND wanted_at > $2 \
             AND (claimed_until IS NULL OR claimed_until <= $3) ORDER BY wanted_at LIMIT 100 \
             FOR UPDATE SKIP LOCKED) UPDATE prices SET claimed_until = $4 FROM due \
             WHERE payer = p AND product = q AND amount_minor = a AND currency = c \
             RETURNING product, amount_minor, currency, subscription_id",
        )
        .bind(payer)
        .bind(now.minus(Span::minutes(10)).ms())
        .bind(now.ms())
        .bind(until.ms())
        .fetch_all(&self.writer())
        .await?;
        rows.iter().map(|row| open_price(payer, row)).collect()
    }

    /// Writes an answer down; whoever asked is judged again.
    pub async fn answer_price(
        &self,
        open: &OpenPrice,
        answer: &PriceAnswer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let wanted = &open.wanted;
        sqlx::query(
            "UPDATE prices SET answered_at = $1, cost_minor = $2, cost_currency = $3, bonus = $4, why = $5 \
             WHERE payer = $6 AND product = $7 AND amount_minor = $8 AND currency = $9",
        )
        .bind(now.ms())
        .bind(answer.cost.map(Money::minor))
        .bind(answer.cost.map(|cost| cost.currency().code()))
        .bind(&answer.bonus)
        .bind(&answer.why)
        .bind(&wanted.payer)
        .bind(wanted.product.clone().unwrap_or_default())
        .bind(wanted.amount.minor())
        .bind(wanted.amount.currency().code())
        .execute(&self.writer())
        .await?;
        self.decide_now(&open.subscription, now).await
    }

    /// Every price of `payers` that was asked for since `since`.
    pub async fn prices(
        &self,
        payers: &[String],
        since: Timestamp,
    ) -> Result<Vec<Price>, StoreError> {
        let sql = self.sql("SELECT * FROM prices WHERE payer IN {ids $1} AND wanted_at > $2");
        let list = serde_json::json!(payers).to_string();
        let rows = sqlx::query(sql).bind(list).bind(since.ms()).fetch_all(self.reader()).await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "prices", row };
                Ok(Price {
                    payer: c.text("payer")?,
                    product: Some(c.text("product")?).filter(|product| !product.is_empty()),
                    amount: amount(&c)?,
                    wanted_at: c.at("wanted_at")?,
                    answered_at: c.maybe_at("answered_at")?,
                    cost: c.money("cost_minor", "cost_currency")?,
                    bonus: c.maybe_text("bonus")?,
                    why: c.maybe_text("why")?,
                })
            })
            .collect()
    }

    /// A catalogue as it was kept, and when.
    pub async fn catalogue(
        &self,
        provider: &str,
        scope: &str,
    ) -> Result<Option<(String, Timestamp)>, StoreError> {
        let row: Option<(String, i64)> = sqlx::query_as(
            "SELECT document, at FROM catalogues WHERE provider = $1 AND scope = $2",
        )
        .bind(provider)
        .bind(scope)
        .fetch_optional(self.reader())
        .await?;
        Ok(row.map(|(document, at)| (document, Timestamp::from_ms(at))))
    }

    /// Keeps a catalogue.
    pub async fn keep_catalogue(
        &self,
        provider: &str,
        scope: &str,
        document: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO catalogues (provider, scope, document, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (provider, scope) DO UPDATE SET document = $3, at = $4",
        )
        .bind(provider)
        .bind(scope)
        .bind(document)
        .bind(now.ms())
        .execute(&self.writer())
        .await?;
        Ok(())
    }
}

fn open_price(payer: &str, row: &sqlx::any::AnyRow) -> Result<OpenPrice, StoreError> {
    let c = Columns { table: "prices", row };
    let wanted = WantedPrice {
        payer: payer.to_owned(),
        product: Some(c.text("product")?).filter(|product| !product.is_empty()),
        amount: amount(&c)?,
    };
    let subscription = c.parsed("subscription_id", |id| SubscriptionId::parse(id).ok())?;
    Ok(OpenPrice { subscription, wanted })
}

fn amount<R: Cells>(c: &Columns<'_, R>) -> Result<Money, StoreError> {
    c.money("amount_minor", "currency")?.ok_or_else(|| c.bad("amount_minor", "nothing"))
}
