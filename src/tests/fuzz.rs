//! A line whose answers are noise: what is read may be anything, money does not move.

use super::support::{daemon::LINE, world::World};
use topupd::domain::{Span, SubscriptionId};

/// Numbers that look random and are the same every time.
fn dice(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

const WELL: &str = r#"{"msisdn":"+12025550123","balance":{"amount":"23.20","currency":"USD"},"expires_at":"2031-01-01T00:00:00Z","data":{"left_mb":1500}}"#;
const VALUES: [&str; 14] = [
    "null",
    "0",
    "-1",
    "\"0.00\"",
    "\"-23.20\"",
    "1e400",
    "[]",
    "{}",
    "99999999999999999999",
    "\"EUR\"",
    "\"1970-01-01\"",
    "\"2026-11-21T00:00:00Z\"",
    "\"+12025550199\"",
    "\"9999-12-31\"",
];

#[tokio::test(flavor = "multi_thread")]
async fn readings_that_are_noise_never_submit_an_order() {
    let world = World::new(|fake, install| {
        fake.set_balance(LINE, 2320);
        install.edit("topupd.toml", "storm_min = 3", "storm_min = 1000");
    })
    .await;
    world.pass(Span::hours(13)).await;
    let id = SubscriptionId::parse("li-tmobile").unwrap();
    let mut seed = 88_172_645_463_325_252;
    for _ in 0..500 {
        let mut text = WELL.to_owned();
        match dice(&mut seed) % 4 {
            // Bytes.
            0 => {
                let mut bytes = text.into_bytes();
                for _ in 0..1 + dice(&mut seed) % 5 {
                    let at = usize::try_from(dice(&mut seed)).unwrap() % bytes.len();
                    bytes[at] = u8::try_from(dice(&mut seed) % 256).unwrap();
                }
                text = String::from_utf8_lossy(&bytes).into_owned();
            }
            // Half of it.
            1 => text.truncate(usize::try_from(dice(&mut seed)).unwrap() % text.len()),
            // Another value at one place or two.
            _ => {
                for _ in 0..1 + dice(&mut seed) % 2 {
                    let places: Vec<usize> = text.match_indices(':').map(|(at, _)| at).collect();
                    let at = places[usize::try_from(dice(&mut seed)).unwrap() % places.len()] + 1;
                    let end = text[at..].find([',', '}']).map_or(text.len(), |n| at + n);
                    let value = VALUES[usize::try_from(dice(&mut seed)).unwrap() % VALUES.len()];
                    text.replace_range(at..end, value);
                }
            }
        }
        world.fake.answer_reads_with(Some(&text));
        world.engine().store().poll_now(std::slice::from_ref(&id), world.now()).await.unwrap();
        world.pass(Span::seconds(150)).await;
        assert!(world.fake.bodies().is_empty(), "an order left after {text}");
    }
    assert!(world.fake.charges().is_empty());
}
