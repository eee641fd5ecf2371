-- Lines on which nothing happens cost next to nothing: a reading that says what the last one said is
-- only counted. Of a run of equal readings the first and the last have rows; the last is written when
-- something else is read, and until then it is in `watches`.

-- On the last of a run: when the run began, and how many readings the row stands for (all but the first).
ALTER TABLE readings ADD COLUMN since BIGINT;
ALTER TABLE readings ADD COLUMN times BIGINT;

-- Where `ok_at` has no row of its own: `at` of the row with what was read then, and how often since.
ALTER TABLE watches ADD COLUMN kept_at BIGINT;
ALTER TABLE watches ADD COLUMN seen_again BIGINT NOT NULL DEFAULT 0;
-- What the newest reading said, while one that says the same needs no decision; and until when.
ALTER TABLE watches ADD COLUMN steady TEXT;
ALTER TABLE watches ADD COLUMN steady_until BIGINT;

-- Every reading that is known: those with rows, and the last one of a run that goes on.
CREATE VIEW sightings AS
SELECT subscription_id, at, provider, quality, balance_minor, currency, data_left_bytes, minutes_left,
    sms_left, service_end_at, number_loss_at, detail, buckets, next_charge_minor, next_charge_currency,
    since, times
FROM readings
UNION ALL
SELECT w.subscription_id, w.ok_at, r.provider, r.quality, r.balance_minor, r.currency, r.data_left_bytes,
    r.minutes_left, r.sms_left, r.service_end_at, r.number_loss_at, r.detail, r.buckets,
    r.next_charge_minor, r.next_charge_currency, r.at, w.seen_again
FROM watches w JOIN readings r ON r.subscription_id = w.subscription_id AND r.at = w.kept_at;
