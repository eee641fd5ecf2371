//! Everything an adapter can be asked, in one sequence, and what came of it in words that are the
//! same on every run.

use super::Part;
use crate::support::{line, money};
use std::fmt::Debug;
use topupd::{
    domain::{Iccid, Msisdn, Span, Subscription},
    providers::{Answer, Found, Lookup, Order, Product, Provider, ReadError, ReadOk},
    sim::fakes::{Shared, Trouble},
};

/// What can become of an order where its answer arrives in one piece.
const TROUBLES: [(&str, Trouble); 6] = [
    ("paid", Trouble::None),
    ("refused", Trouble::Refused),
    ("nofunds", Trouble::NoFunds),
    ("dearer", Trouble::DearerNow),
    ("other", Trouble::OtherTarget),
    ("pending", Trouble::Pending),
];

/// Asks `provider` everything about the line of `part`.
pub(super) async fn play(provider: &dyn Provider, fake: &Shared, part: &Part) -> Vec<String> {
    let line = subscription(part, "0123");
    let quote = provider.quote(&order(part, "quote", "0123")).await;
    let mut told = vec![
        format!("read {}", read(provider.read(&read_line(part)).await)),
        format!("wallet {}", asked(provider.wallet().await)),
        format!("products {}", asked(provider.products(Some(&line)).await.map(ids))),
        format!("everything {}", asked(provider.products(None).await.map(ids))),
        format!("quote {}", asked(quote.map(|quote| (quote.cost, quote.delivered)))),
        format!("operator {}", asked(provider.operator(&line).await)),
        format!("test {}", provider.test().await.is_ok()),
    ];
    if part.iccid.is_none() {
        let nobody = subscription(part, "0000");
        told.push(format!("nobody's {}", asked(provider.operator(&nobody).await)));
    }
    if provider.declares().tops_up {
        for (word, trouble) in TROUBLES {
            fake.trouble_orders(&[trouble]);
            told.push(format!("{word} {}", bought(provider, order(part, word, "0123")).await));
        }
        told.push(format!("copy {}", bought(provider, order(part, "paid", "0123")).await));
        for ending in part.endings {
            let order = order(part, &format!("ending{ending}"), ending);
            told.push(format!("{ending} {}", bought(provider, order).await));
        }
    }
    for (key, value) in part.worlds {
        let value = serde_json::from_str(value).unwrap();
        fake.books().world.insert((*key).to_owned(), value);
        told.push(format!("{key} {}", read(provider.read(&read_line(part)).await)));
        told.push(format!("{key} {}", provider.products(Some(&line)).await.is_ok()));
        if provider.declares().tops_up {
            let order = order(part, &format!("w{}", told.len()), "0123");
            told.push(format!("{key} {}", bought(provider, order).await));
        }
        fake.books().world.remove(*key);
    }
    if provider.declares().lists {
        let now = crate::support::at(0);
        let rows = provider.list(now.minus(Span::days(365)), now.plus(Span::days(365))).await;
        told.push(format!("list {}", asked(rows.map(|rows| rows.len()))));
    }
    told.push(format!("read again {}", read(provider.read(&read_line(part)).await)));
    told.push(format!("charges {}", fake.charges().len()));
    told
}

/// What a provider says to somebody with the wrong key.
pub(super) async fn stranger(provider: &dyn Provider, part: &Part) -> Vec<String> {
    let mut told = vec![
        format!("read {}", read(provider.read(&read_line(part)).await)),
        format!("test {}", provider.test().await.is_ok()),
    ];
    if provider.declares().tops_up {
        let answer = bought(provider, order(part, "stranger", "0123")).await;
        told.push(format!("order {answer}"));
    }
    told
}

fn subscription(part: &Part, ending: &str) -> Subscription {
    let line = line("li", 123);
    match part.iccid {
        Some(iccid) => Subscription { msisdn: None, iccid: Iccid::parse(iccid).ok(), ..line },
        None => {
            Subscription { msisdn: Msisdn::parse(&format!("+1202555{ending:0>4}")).ok(), ..line }
        }
    }
}

fn read_line(part: &Part) -> Subscription {
    let line = subscription(part, "0123");
    if part.reads_wallet { Subscription { msisdn: None, iccid: None, ..line } } else { line }
}

fn order(part: &Part, word: &str, ending: &str) -> Order {
    let word = format!("{}{word}", part.word);
    Order {
        line: subscription(part, ending),
        // As long as those of the core.
        reference: format!("{word:x<24}"),
        amount: money("10.00 USD"),
        product: part.product.map(str::to_owned),
        transaction_id: None,
    }
}

/// Freezes, sends and looks up until it is final.
async fn bought(provider: &dyn Provider, mut order: Order) -> String {
    let mut told = Vec::new();
    let by_ref = provider.declares().lookup == Lookup::ByRef;
    if by_ref {
        told.push(found(provider.find(&order).await));
    }
    let frozen = provider.freeze(&order).unwrap();
    let sent = provider.topup(&order, &frozen).await;
    if let Answer::Paid(evidence) | Answer::Pending(evidence) = &sent {
        order.transaction_id.clone_from(&evidence.transaction_id);
    }
    told.push(answer(&sent));
    if provider.declares().lookup != Lookup::None {
        for _ in 0..4 {
            told.push(found(provider.find(&order).await));
        }
    }
    told.join(", ")
}

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Paid(e) => format!("paid {:?} {:?} {:?}", e.transaction_id, e.charged, e.delivered),
        Answer::Pending(e) => format!("pending {:?}", e.transaction_id),
        Answer::Refused(refusal) => format!("refused {} {:?}", refusal.code, refusal.class),
        Answer::Reversed(e) => format!("reversed {:?}", e.transaction_id),
        Answer::Mismatch { why, .. } => format!("mismatch {why}"),
        Answer::NotSent { .. } => "not sent".to_owned(),
        Answer::Unclear { .. } => "unclear".to_owned(),
    }
}

fn found(found: Found) -> String {
    match found {
        Found::Nothing => "nothing".to_owned(),
        Found::One(one) => answer(&one),
        Found::Several { count, .. } => format!("several {count}"),
        Found::Blind { .. } => "blind".to_owned(),
    }
}

/// Dates are left out: some fakes count from now.
fn read(read: Result<ReadOk, ReadError>) -> String {
    asked(read.map(|ok| {
        let v = ok.values;
        let left: Vec<_> = v.buckets.into_iter().map(|bucket| (bucket.name, bucket.left)).collect();
        (ok.quality, v.balance, v.data_left, v.minutes_left, v.sms_left, left)
    }))
}

fn ids(products: Vec<Product>) -> Vec<String> {
    products.into_iter().map(|product| product.id).collect()
}

fn asked<T: Debug>(answer: Result<T, ReadError>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}", error.quality),
    }
}
