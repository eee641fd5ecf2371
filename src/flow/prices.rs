//! What an order would cost at each of a line's payers: asked for by a decision, answered here,
//! compared by the next decision.

use super::{Engine, EngineError, Stage};
use crate::domain::{Snapshot, Span, Timestamp};
use crate::providers::Order;
use crate::store::{OpenPrice, PriceAnswer};

/// A catalogue or a price older than this is of no use to anybody.
const KEPT: Span = Span::hours(6);

impl Engine {
    /// Adds what is known, where a line has several payers and one of them says prices.
    pub(super) async fn add_prices(
        &self,
        snapshot: &mut Snapshot,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let payers = &snapshot.subscription.payers;
        let says = |name: &String| self.provider(name).is_some_and(|p| p.declares().quotes);
        if payers.iter().any(says) {
            snapshot.prices = self.store().prices(payers, now.minus(KEPT)).await?;
        }
        Ok(())
    }

    /// Asks `payer` whatever somebody waits for. A price is a question: it moves nothing, and no
    /// answer only means that this payer is compared without one.
    pub(super) async fn ask_prices(&self, payer: &str, now: Timestamp) -> Result<(), EngineError> {
        let Some(provider) = self.provider(payer).filter(|p| p.declares().quotes) else {
            return Ok(());
        };
        let open = self.store().open_prices(payer, now.plus(self.lease()), now).await?;
        for one in &open {
            let order = self.imagined(one).await?;
            let answer = match provider.quote(&order).await {
                Ok(quote) => {
                    PriceAnswer { cost: Some(quote.cost), bonus: quote.bonus, why: quote.why }
                }
                Err(error) => PriceAnswer { cost: None, bonus: None, why: error.to_string() },
            };
            tracing::debug!(provider = payer, cost = ?answer.cost, "price: {}", answer.why);
            self.store().answer_price(one, &answer, self.now()).await?;
        }
        if !open.is_empty() {
            self.wake(Stage::Decide);
        }
        Ok(())
    }

    async fn imagined(&self, open: &OpenPrice) -> Result<Order, EngineError> {
        let line = self.store().snapshot(&open.subscription).await?.snapshot.subscription;
        let wanted = &open.wanted;
        Ok(Order {
            line,
            reference: String::new(),
            amount: wanted.amount,
            product: wanted.product.clone(),
            transaction_id: None,
        })
    }
}
