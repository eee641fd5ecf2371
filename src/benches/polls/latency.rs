//! From "the balance fell" to the order on the wire and the mail accepted, while every line is polled
//! at its pace.
//!
//! A share of the lines falls below its threshold, one after the other. What is measured begins with the
//! reading (for the order: the second one, which confirms the first) and ends where the carrier has the
//! order, and where the mail server has taken the mail.

use super::fleet::Installation;
use anyhow::{Context, ensure};
use sqlx::Connection as _;
use std::time::Duration;
use topupd::{
    domain::{Money, Msisdn},
    sim::{Carrier, CarrierConfig, Line, mailbox::Mailbox},
};

/// Lines that fall.
const FALLS: usize = 300;

/// No brake holds up orders or mails here.
const NOTHING_HOLDS_UP: &str = r#"
[caps]
global_24h = "1000000.00 USD"
[safety]
storm_min = 1000000
payer_rate = "100000/m"
[notices]
brake = "100000/m"
[channels.mail.email]
"#;
const SENDER: &str = "from = \"topupd@example.com\"\n";

/// How long the last of them may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures and prints, `falls` being how many lines fall in a second.
pub(super) fn run(lines: usize, every: u64, falls: u64) -> anyhow::Result<()> {
    println!(
        "\n{lines} lines polled every {every} s, {falls} of them fall in a second ({} a day)",
        falls.saturating_mul(86_400)
    );
    tokio::runtime::Runtime::new()?.block_on(async {
        let money = |text: &str| Money::parse(text).map_err(|_| anyhow::anyhow!("no amount"));
        let calm = Line { service_days: 300, ..Line::quiet(money("23.45 USD")?) };
        let config = CarrierConfig {
            token: "s3cret".into(),
            newcomer: Some(calm),
            ..CarrierConfig::default()
        };
        let (carrier, mailbox) = (Carrier::start(config).await?, Mailbox::start().await?);
        let free = format!("{}url = {:?}\n{SENDER}", NOTHING_HOLDS_UP, mailbox.url());
        let pace = format!("{every}s\"\nconfirm_after = \"1s");
        let installation = Installation::made(&carrier.base_url(), lines, &pace, &free)?;
        let mut daemon = installation.topupd().arg("run").spawn()?;
        let measured = async {
            // Every line was read twice before the first falls.
            tokio::time::sleep(Duration::from_secs(every.saturating_mul(2).saturating_add(5)))
                .await;
            let low = Line { service_days: 300, ..Line::quiet(money("3.00 USD")?) };
            for n in 0..FALLS.min(lines) {
                let number =
                    super::fleet::number(n.saturating_mul(lines / FALLS.min(lines).max(1)));
                let number = Msisdn::parse(&number).map_err(|_| anyhow::anyhow!("no number"))?;
                carrier.add_line(&number, low.clone());
                tokio::time::sleep(Duration::from_millis(1000 / falls)).await;
            }
            let started = std::time::Instant::now();
            while carrier.charges().len() < FALLS && started.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            // The last mails.
            tokio::time::sleep(Duration::from_secs(2)).await;
            anyhow::Ok(())
        }
        .await;
        daemon.kill().ok();
        daemon.wait().ok();
        measured?;
        report(&installation, &carrier).await
    })
}

async fn report(installation: &Installation, carrier: &Carrier) -> anyhow::Result<()> {
    let mut db = sqlx::SqliteConnection::connect(&installation.database()).await?;
    let (mut orders, mut mails) = (Vec::new(), Vec::new());
    let (mut judged, mut claimed, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for charge in carrier.charges() {
        let confirmed: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(r.at) FROM readings r JOIN topups t ON t.subscription_id = r.subscription_id \
             WHERE t.reference = $1 AND r.at <= $2",
        )
        .bind(&charge.reference)
        .bind(charge.at.ms())
        .fetch_one(&mut db)
        .await?;
        let confirmed = confirmed.context("a charge that no reading led to")?;
        orders.push(charge.at.ms().saturating_sub(confirmed));
        let steps: Vec<i64> = sqlx::query_scalar(
            "SELECT MIN(e.at) FROM topup_events e JOIN topups t ON t.id = e.topup_id \
             WHERE t.reference = $1 AND e.to_state IN ('reserved', 'submitting') GROUP BY e.to_state ORDER BY e.to_state",
        )
        .bind(&charge.reference)
        .fetch_all(&mut db)
        .await?;
        if let [reserved, submitting] = steps.as_slice() {
            judged.push(reserved.saturating_sub(confirmed));
            claimed.push(submitting.saturating_sub(*reserved));
            sent.push(charge.at.ms().saturating_sub(*submitting));
        }
        // The breach is told when it is first seen; the readings after it are as low.
        let told: Option<i64> = sqlx::query_scalar(
            "SELECT MIN(d.at) - MIN(e.first_read_at) FROM topups t JOIN notices n ON n.subscription_id = t.subscription_id \
             JOIN deliveries d ON d.notice_id = n.id AND d.outcome = 'accepted' \
             JOIN episodes e ON e.subscription_id = t.subscription_id WHERE t.reference = $1",
        )
        .bind(&charge.reference)
        .fetch_one(&mut db)
        .await?;
        mails.extend(told);
    }
    ensure!(orders.len() >= FALLS / 2, "only {} of {FALLS} falls were paid", orders.len());
    println!("{:<46}{:>8}{:>8}{:>8}{:>8}", "ms", "of", "p50", "p99", "most");
    print("from the confirming reading to the order", &mut orders);
    print("   until it is reserved", &mut judged);
    print("   until it is written that it leaves", &mut claimed);
    print("   until the carrier has it", &mut sent);
    print("from the first low reading to the mail taken", &mut mails);
    Ok(())
}

fn print(what: &str, times: &mut [i64]) {
    times.sort_unstable();
    let at = |hundredths: usize| {
        let place = times.len().saturating_mul(hundredths) / 100;
        times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    println!("{what:<46}{:>8}{:>8}{:>8}{:>8}", times.len(), at(50), at(99), at(100));
}
