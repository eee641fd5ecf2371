//! What can be put on an eSIM, and for how much. Prices are decimals of dollars.

use super::{Airalo, reading::MB};
use crate::domain::{ErrorKind, Money, Rounding};
use crate::providers::{
    Order, Product, ProductKind, Quote, ReadError,
    api::{bytes, money, number, text},
};
use serde_json::Value;

impl Airalo {
    /// A package of the list of top-ups.
    pub(super) fn product(&self, package: &Value) -> Option<Product> {
        let price = self.price(package)?;
        let is_unlimited = package.get("is_unlimited").and_then(Value::as_bool).unwrap_or(false);
        Some(Product {
            id: text(package, "/id")?,
            name: text(package, "/title").or_else(|| text(package, "/data"))?,
            kind: ProductKind::Esim,
            operator: None,
            min: Some(price),
            max: Some(price),
            denominations: vec![price],
            cost: self.net_price(package).or(Some(price)),
            days: number(package, "/day").filter(|days| *days > 0),
            data: bytes(package, "/amount", MB).filter(|left| *left > 0 && !is_unlimited),
        })
    }

    /// What the ordered package costs at most.
    pub(super) fn priced(&self, packages: &[Value], order: &Order) -> Result<Quote, ReadError> {
        let wanted = order.product.as_deref().unwrap_or_default().trim();
        let package = packages
            .iter()
            .find(|p| text(p, "/id").as_deref() == Some(wanted))
            .ok_or_else(|| {
                let why = format!("the package {wanted} is not sold for this eSIM");
                ReadError::new(ErrorKind::Configuration, why)
            })?;
        let price = self
            .price(package)
            .ok_or_else(|| ReadError::unparseable("the package's price cannot be read"))?;
        let net = self.net_price(package);
        // Which of the two an account pays depends on its contract: the greater is the bound.
        let cost = net.filter(|net| net.minor() > price.minor()).unwrap_or(price);
        let net = net.map_or_else(String::new, |net| format!(", {net} net"));
        let why = format!("{price} in the list of top-ups{net}");
        Ok(Quote { cost, delivered: None, bonus: None, why })
    }

    fn price(&self, package: &Value) -> Option<Money> {
        money(package, "/price", self.currency, Rounding::Ceiling).filter(|p| p.is_positive())
    }

    fn net_price(&self, package: &Value) -> Option<Money> {
        ["/net_price", "/prices/net_price/USD"]
            .iter()
            .find_map(|key| money(package, key, self.currency, Rounding::Ceiling))
            .filter(|p| p.is_positive())
    }
}
