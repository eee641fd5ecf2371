//! CELITECH's records: what a product, a purchase and a package say.

use crate::domain::{Currency, Money, Rounding, Timestamp};
use crate::providers::{
    Answer, Evidence, Order, Product, ProductKind, ReadError,
    api::{Echo, Package, Said, bytes, cut, decimal, moment, text},
};
use rust_decimal::Decimal;
use serde_json::Value;
use std::fmt;

/// The sizes that are sold, in gigabytes.
const SIZES: [&str; 8] = ["0.5", "1", "2", "3", "5", "8", "20", "50"];
/// The durations that are sold, in days.
const DAYS: [i64; 6] = [1, 2, 7, 14, 30, 90];

/// A product as it is written: `1GB/7d`. Unlimited ones are bought by dates, which an order does
/// not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) size: &'static str,
    pub(super) days: i64,
}

impl Plan {
    pub(super) fn of(order: &Order) -> Result<Self, String> {
        let product = order.product.as_deref().ok_or("no size and duration in products")?;
        Self::parse(product).ok_or_else(|| {
            let (sizes, days) = (SIZES.join(", "), DAYS.map(|n| n.to_string()).join(", "));
            format!(
                "`{}` is no product: write for example `1GB/7d`, with a size of {sizes} GB and a \
                 duration of {days} days",
                cut(product, 40)
            )
        })
    }

    pub(super) fn parse(product: &str) -> Option<Self> {
        let (size, days) = product.trim().strip_suffix('d')?.split_once("GB/")?;
        let size = SIZES.into_iter().find(|known| *known == size)?;
        let days = DAYS.into_iter().find(|known| known.to_string() == days)?;
        Some(Self { size, days })
    }

    /// The size as it is sent.
    pub(super) fn size_number(self) -> Value {
        serde_json::from_str(self.size).unwrap_or(Value::Null)
    }

    /// True where `package` is of this size and can be had for this long.
    pub(super) fn is_in(self, package: &Value) -> bool {
        let days = Decimal::from(self.days);
        decimal(package, "/dataLimitInGB") == self.size.parse().ok()
            && decimal(package, "/minDays").is_some_and(|least| least <= days)
            && decimal(package, "/maxDays").is_some_and(|most| days <= most)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}GB/{}d", self.size, self.days)
    }
}

/// One purchase on an eSIM.
#[derive(Clone, Debug)]
pub(super) struct Purchase {
    pub(super) id: String,
    name: String,
    ends_at: Option<Timestamp>,
}

impl Purchase {
    pub(super) fn read(row: &Value) -> Result<Self, ReadError> {
        let id = text(row, "/id").ok_or_else(|| ReadError::unparseable("a purchase without id"))?;
        let ends_at = match text(row, "/endDate") {
            None => None,
            Some(end) => Some(moment(&end, false).ok_or_else(|| {
                ReadError::unparseable("the end of a purchase is not a date with an offset")
            })?),
        };
        let place = text(row, "/package/destinationName").unwrap_or_else(|| id.clone());
        let size = decimal(row, "/package/dataLimitInGB").filter(|size| *size > Decimal::ZERO);
        let name = size.map_or_else(|| place.clone(), |n| format!("{place}, {} GB", n.normalize()));
        Ok(Self { id, name, ends_at })
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|at| at <= now)
    }

    pub(super) fn with_nothing(self) -> Package {
        Package { name: self.name, left: Some(0), ends_at: self.ends_at }
    }

    /// With what its consumption says is left.
    pub(super) fn with(self, consumption: &Value) -> Result<Package, ReadError> {
        let place = "/dataUsageRemainingInBytes";
        let left = bytes(consumption, place, 1)
            .ok_or_else(|| ReadError::unparseable("nothing says what is left of a purchase"))?;
        // Less than nothing: it has no limit.
        let left = (left != -1).then_some(left);
        Ok(Package { name: self.name, left, ends_at: self.ends_at })
    }
}

/// The answer to an order.
pub(super) fn bought(said: &Said, order: &Order) -> Answer {
    let Some(id) = said.text("/purchase/id") else {
        return said.unclear("no purchase in the answer");
    };
    let echo = Echo::default().target(&order.line, said.text("/profile/iccid"));
    if let Some(why) = echo.differs() {
        return said.mismatch(Some(id), why);
    }
    let raw = said.raw.clone();
    Answer::Paid(Evidence { transaction_id: Some(id), raw, ..Evidence::default() })
}

/// A row of the list of purchases, which has only those that were paid.
pub(super) fn row(row: &Value, raw: String, order: &Order, currency: Currency) -> Answer {
    let said = Said { status: 200, value: row.clone(), raw };
    let id = said.text("/id");
    let plain = |at| decimal(row, at).map(|number| number.normalize().to_string());
    let mut echo = Echo::default().target(&order.line, said.text("/esim/iccid")).same(
        "the reference",
        &order.reference,
        said.text("/referenceId"),
    );
    if let Ok(plan) = Plan::of(order) {
        echo = echo.same("the size in GB", plan.size, plain("/package/dataLimitInGB")).same(
            "the duration",
            &plan.days.to_string(),
            plain("/duration"),
        );
    }
    if let Some(why) = echo.differs() {
        return said.mismatch(id, why);
    }
    Answer::Paid(Evidence {
        transaction_id: id,
        charged: cents(row, "/package/priceInCents", currency),
        delivered: None,
        pin: None,
        raw: said.raw,
    })
}

/// An amount in hundredths.
pub(super) fn cents(value: &Value, place: &str, currency: Currency) -> Option<Money> {
    let major = decimal(value, place)?.checked_div(Decimal::ONE_HUNDRED)?;
    Money::from_decimal(major, currency, Rounding::Ceiling).ok()
}

/// True where the words of a refusal say that our float is used up.
pub(super) fn lacks_funds(message: &str) -> bool {
    let message = message.to_lowercase();
    ["balance", "funds", "credit"].iter().any(|word| message.contains(word))
}

/// What can be bought of one package: one product for each duration it can have.
pub(super) fn products(package: &Value, currency: Currency) -> Vec<Product> {
    let price = cents(package, "/priceInCents", currency);
    let place = text(package, "/destination");
    let data = bytes(package, "/dataLimitInBytes", 1).filter(|n| *n > 0);
    SIZES
        .into_iter()
        .flat_map(|size| DAYS.map(|days| Plan { size, days }))
        .filter(|plan| plan.is_in(package))
        .map(|plan| Product {
            id: plan.to_string(),
            name: place.as_ref().map_or_else(|| plan.to_string(), |p| format!("{p}, {plan}")),
            kind: ProductKind::Esim,
            operator: None,
            min: price,
            max: price,
            denominations: price.into_iter().collect(),
            cost: price,
            days: Some(plan.days),
            data,
        })
        .collect()
}
