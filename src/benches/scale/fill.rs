//! The fleet, by SQL alone: ten lines to a subscriber, each with a newest reading and a watch row
//! whose times are spread over the cadence; a queue of notices, and as many that were sent.

use super::{CALM, READER, Table, Unit, place::Place};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use std::time::Instant;
use topupd::clock::Clock;

/// The cadence of the config, in milliseconds.
const CADENCE: i64 = 6 * 3_600_000;

/// Writes `size` lines.
pub(super) async fn fill(place: &Place, size: i64, table: &mut Table) -> anyhow::Result<()> {
    let now = Clock::System.now().ms();
    let began = Instant::now();
    let mut connection = AnyConnection::connect(place.url()).await?;
    if !place.is_postgres() {
        connection.execute("PRAGMA synchronous = OFF").await?;
    }
    connection.execute("BEGIN").await?;
    for statement in statements(place, size, now) {
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    connection.execute("COMMIT").await?;
    // PostgreSQL counts by itself from time to time; SQLite never does.
    let settle = if place.is_postgres() { "ANALYZE" } else { "PRAGMA wal_checkpoint(TRUNCATE)" };
    connection.execute(settle).await?;
    connection.close().await?;
    println!("   written within {} s", began.elapsed().as_secs());
    table.add("database", Unit::Bytes, place.bytes());
    Ok(())
}

/// When in [`CADENCE`] line `number` has its turn, in SQL: as `domain::Phase` has it on SQLite, where a line's
/// row stays where it is. PostgreSQL writes rows anew; there, and where lines have not found their turns, any
/// line may come after any other.
pub(super) fn turn(place: &Place, size: i64, number: &str) -> String {
    if place.is_scattered() {
        return format!("({number} * 7919 % {size} * {CADENCE} / {size})");
    }
    let halvings =
        u32::trailing_zeros(u32::try_from(size / 64 + 1).unwrap_or(1).next_power_of_two());
    let part = (1_i64 << 26 >> halvings.saturating_sub(1)).max(1);
    let circle = 1_i64 << 32;
    format!(
        "((({number} + 1) / 64 * 2654435769 + ({number} + 1) % 64 * {part}) % {circle} * {CADENCE} / {circle})"
    )
}

fn statements(place: &Place, size: i64, now: i64) -> Vec<String> {
    // One row for each number below `most`; the same text on both databases.
    let each = |into: &str, most: i64, values: String| {
        format!(
            "INSERT INTO {into} WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n \
             WHERE i + 1 < {most}) SELECT {values} FROM n"
        )
    };
    let read_at = format!("{now} - 1 - {}", turn(place, size, "i"));
    let service_end = format!("{now} + (i * 7907 % 43200) * 60000 + 3 * 86400000");
    let plan =
        r#"{"price":"15.00 USD","cycle_days":30,"renewal":"fund_balance","number_loss_days":60}"#;
    let notice = |state: &str, kind: &str, try_at: &str, sent_at: &str| {
        each(
            "notices (id, dedupe_key, subscriber_id, subscription_id, kind, severity, channel, facts, state, created_at, next_try_at, expires_at, sent_at)",
            (size / 10).max(1),
            format!(
                "'m_{state}_' || i, '{state}|' || i, 's' || i, 'line-' || (i * 10), '{kind}', \
                 CASE i % 4 WHEN 0 THEN 'high' WHEN 1 THEN 'warning' ELSE 'info' END, 'mail', '{{\"label\":\"Line\"}}', \
                 '{state}', {now} - 60000 - i, {try_at}, {now} + 864000000, {sent_at}"
            ),
        )
    };
    vec![
        each(
            "subscribers (id, name, email, locale, time_zone, channels, document, created_at, updated_at)",
            (size / 10).max(1),
            format!(
                "'s' || i, 'Subscriber ' || i, 's' || i || '@example.com', 'en', 'Asia/Shanghai', '[\"mail\"]', '{{}}', {now}, {now}"
            ),
        ),
        each(
            "subscriptions (id, subscriber_id, label, msisdn, operator, time_zone, reader, payers, tags, plan, products, status, document, created_at, updated_at)",
            size,
            format!(
                "'line-' || i, 's' || (i / 10), 'Line ' || i, '+1202' || (2000000 + i), 'T-Mobile US', 'America/New_York', \
                 '{READER}', '[\"{READER}\"]', '[\"us\"]', '{plan}', '{{}}', 'active', '{{}}', {now}, {now}"
            ),
        ),
        each(
            "readings (subscription_id, at, provider, quality, balance_minor, currency, data_left_bytes, service_end_at)",
            size,
            format!(
                "'line-' || i, {read_at}, '{READER}', 'ok', 1500 + i * 37 % 3000, 'USD', 2147483648, {service_end}"
            ),
        ),
        each(
            "watches (subscription_id, reader, watched_since, next_poll_at, next_decide_at, newest_at, ok_at, next_what, next_why, service_end_at, steady, steady_until)",
            size,
            format!(
                "'line-' || i, '{READER}', {now} - 8640000000, {read_at} + {CADENCE}, {read_at} + 86400000, {read_at}, {read_at}, \
                 'poll', 'nothing to do', {service_end}, '{CALM}', {service_end}"
            ),
        ),
        notice("queued", "low_balance", &(now - 60_000).to_string(), "NULL"),
        notice("sent", "recovered", "NULL", &(now - 30_000).to_string()),
    ]
}
