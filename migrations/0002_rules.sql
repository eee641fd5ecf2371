-- The whole rule engine: what it must remember between decisions, and what replays compare with.

-- Several balances, each with its own expiry, as JSON: [{"name", "kind", "amount", "expires_at"}].
ALTER TABLE readings ADD COLUMN buckets TEXT;
-- The operator's own figure of the next charge, in `currency` of `next_charge_currency`.
ALTER TABLE readings ADD COLUMN next_charge_minor BIGINT;
ALTER TABLE readings ADD COLUMN next_charge_currency TEXT;

-- The ok reading before ok_at.
ALTER TABLE watches ADD COLUMN ok_before_at BIGINT;
-- Since when the newest reading is doubted (a sudden drop), and the last milestone told: how far
-- along it is, and the service end it was counted from.
ALTER TABLE watches ADD COLUMN doubt_since BIGINT;
ALTER TABLE watches ADD COLUMN milestone BIGINT;
ALTER TABLE watches ADD COLUMN milestone_end_at BIGINT;

-- When a rule became one that pays.
ALTER TABLE rules ADD COLUMN enabled_at BIGINT;

-- The price of a renewal when the order was reserved, and what kind of failure it met.
ALTER TABLE topups ADD COLUMN price_minor BIGINT;
ALTER TABLE topups ADD COLUMN price_currency TEXT;
ALTER TABLE topups ADD COLUMN failure TEXT CHECK (failure IN (
    'declined_soft', 'declined_hard', 'auth_required', 'invalid_target', 'provider_down',
    'price_changed', 'out_of_stock', 'denomination_gone', 'internal'));

CREATE INDEX needs_served ON needs (subscription_id, seq) WHERE outcome = 'served';
CREATE INDEX episodes_by_time ON episodes (subscription_id, opened_at);

-- What use of a line was worked out from its readings; see `domain::Forecast`.
CREATE TABLE forecasts (
    subscription_id TEXT   PRIMARY KEY REFERENCES subscriptions (id),
    at              BIGINT NOT NULL,
    document        TEXT   NOT NULL
);

-- Balances that rose without a top-up of ours: somebody else paid.
CREATE TABLE external_topups (
    subscription_id TEXT   NOT NULL REFERENCES subscriptions (id),
    at              BIGINT NOT NULL,
    amount_minor    BIGINT NOT NULL,
    currency        TEXT   NOT NULL,
    PRIMARY KEY (subscription_id, at)
);

-- Decisions, written when they change: several may fall into one millisecond.
DROP TABLE decisions;
CREATE TABLE decisions (
    subscription_id TEXT   NOT NULL REFERENCES subscriptions (id),
    seq             BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    step            TEXT   NOT NULL,
    reason          TEXT   NOT NULL,
    amount_minor    BIGINT,
    currency        TEXT,
    episodes        TEXT   NOT NULL DEFAULT '',
    detail          TEXT   NOT NULL,
    PRIMARY KEY (subscription_id, seq)
);
CREATE INDEX decisions_by_time ON decisions (at);

-- What people did that decisions depend on, so that history can be replayed.
CREATE TABLE acts (
    seq             BIGINT PRIMARY KEY,
    at              BIGINT NOT NULL,
    subscription_id TEXT,
    what            TEXT   NOT NULL,
    why             TEXT   NOT NULL
);
CREATE INDEX acts_by_time ON acts (at);
