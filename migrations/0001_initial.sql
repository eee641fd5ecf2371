-- One text for SQLite and PostgreSQL: only TEXT and BIGINT columns. Instants are Unix milliseconds,
-- amounts are minor units beside their ISO 4217 code, lists and documents are JSON text.
-- Migrations are append-only; a change is a new file.

-- Who we are: one row. The install id goes into every reference; last_wall_at shows a clock that ran back.
CREATE TABLE installation (
    id           BIGINT PRIMARY KEY CHECK (id = 1),
    install_id   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_wall_at BIGINT NOT NULL,
    -- Rises with every applied fleet, so that running instances know when to read the rules again.
    fleet_version BIGINT NOT NULL DEFAULT 0
);

-- What a person declared ---------------------------------------------------------------------

CREATE TABLE subscribers (
    id          TEXT   PRIMARY KEY,
    name        TEXT   NOT NULL,
    email       TEXT,
    phone       TEXT,
    locale      TEXT   NOT NULL,
    time_zone   TEXT   NOT NULL,
    quiet_hours TEXT,
    channels    TEXT   NOT NULL,
    document    TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    closed_at   BIGINT
);

CREATE TABLE subscriptions (
    id            TEXT   PRIMARY KEY,
    subscriber_id TEXT   NOT NULL REFERENCES subscribers (id),
    label         TEXT   NOT NULL,
    msisdn        TEXT,
    iccid         TEXT,
    operator      TEXT,
    time_zone     TEXT   NOT NULL,
    reader        TEXT   NOT NULL,
    payers        TEXT   NOT NULL,
    tags          TEXT   NOT NULL,
    plan          TEXT,
    products      TEXT   NOT NULL,
    status        TEXT   NOT NULL CHECK (status IN ('active', 'paused', 'closed')),
    document      TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);
CREATE INDEX subscriptions_by_subscriber ON subscriptions (subscriber_id);

CREATE TABLE rules (
    id         TEXT   PRIMARY KEY,
    document   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- What was observed --------------------------------------------------------------------------

-- One narrow row per subscription: when it is due, and what is newest. NULL next_poll_at: not polled.
CREATE TABLE watches (
    subscription_id   TEXT   PRIMARY KEY REFERENCES subscriptions (id),
    reader            TEXT   NOT NULL,
    watched_since     BIGINT NOT NULL,
    next_poll_at      BIGINT,
    next_decide_at    BIGINT,
    poll_failures     BIGINT NOT NULL DEFAULT 0,
    newest_at         BIGINT,
    ok_at             BIGINT,
    stale_since       BIGINT,
    failures_reset_at BIGINT NOT NULL DEFAULT 0,
    next_at           BIGINT,
    next_what         TEXT   NOT NULL DEFAULT 'poll',
    next_why          TEXT   NOT NULL DEFAULT 'not read yet'
);
CREATE INDEX watches_poll_due ON watches (reader, next_poll_at);
CREATE INDEX watches_decide_due ON watches (next_decide_at);

-- Append-only.
CREATE TABLE readings (
    subscription_id TEXT   NOT NULL REFERENCES subscriptions (id),
    at              BIGINT NOT NULL,
    provider        TEXT   NOT NULL,
    quality         TEXT   NOT NULL,
    balance_minor   BIGINT,
    currency        TEXT,
    data_left_bytes BIGINT,
    minutes_left    BIGINT,
    sms_left        BIGINT,
    service_end_at  BIGINT,
    number_loss_at  BIGINT,
    detail          TEXT,
    PRIMARY KEY (subscription_id, at),
    CHECK ((balance_minor IS NULL) = (currency IS NULL))
);

-- One continuous breach of one rule on one subscription.
CREATE TABLE episodes (
    id              TEXT   PRIMARY KEY,
    rule_id         TEXT   NOT NULL,
    subscription_id TEXT   NOT NULL REFERENCES subscriptions (id),
    opened_at       BIGINT NOT NULL,
    first_read_at   BIGINT NOT NULL,
    is_deadline     BIGINT NOT NULL CHECK (is_deadline IN (0, 1)),
    cause           TEXT   NOT NULL,
    closed_at       BIGINT
);
CREATE UNIQUE INDEX episodes_one_open ON episodes (rule_id, subscription_id) WHERE closed_at IS NULL;
CREATE INDEX episodes_by_subscription ON episodes (subscription_id, closed_at);

-- What was decided ---------------------------------------------------------------------------

-- "This subscription must be paid." (subscription, seq) is its identity and the seed of references.
CREATE TABLE needs (
    id              TEXT   PRIMARY KEY,
    subscription_id TEXT   NOT NULL REFERENCES subscriptions (id),
    seq             BIGINT NOT NULL CHECK (seq > 0),
    rule_id         TEXT,
    kind            TEXT   NOT NULL CHECK (kind IN ('period', 'episode', 'manual')),
    period_end_at   BIGINT,
    opened_at       BIGINT NOT NULL,
    closed_at       BIGINT,
    outcome         TEXT CHECK (outcome IN ('served', 'gone')),
    UNIQUE (subscription_id, seq),
    CHECK ((closed_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX needs_one_open ON needs (subscription_id) WHERE closed_at IS NULL;
CREATE INDEX needs_by_time ON needs (opened_at);

-- Decisions, written when they change; explain shows the newest, simulation compares with them.
CREATE TABLE decisions (
    subscription_id TEXT   NOT NULL REFERENCES subscriptions (id),
    at              BIGINT NOT NULL,
    step            TEXT   NOT NULL,
    reason          TEXT   NOT NULL,
    detail          TEXT   NOT NULL,
    PRIMARY KEY (subscription_id, at)
);

-- What money did -----------------------------------------------------------------------------

CREATE TABLE topups (
    id                    TEXT   PRIMARY KEY,
    subscription_id       TEXT   NOT NULL REFERENCES subscriptions (id),
    subscriber_id         TEXT   NOT NULL,
    rule_id               TEXT,
    need_id               TEXT   NOT NULL REFERENCES needs (id),
    payer                 TEXT   NOT NULL,
    product               TEXT,
    amount_minor          BIGINT NOT NULL CHECK (amount_minor > 0),
    currency              TEXT   NOT NULL,
    reference             TEXT   NOT NULL CHECK (length(reference) = 24),
    order_hash            TEXT   NOT NULL,
    state                 TEXT   NOT NULL CHECK (state IN (
        'proposed', 'awaiting_approval', 'reserved', 'submitting', 'pending', 'unknown',
        'paid', 'held', 'verified', 'failed', 'cancelled', 'reversed')),
    reason                TEXT   NOT NULL,
    request               TEXT,
    request_sha256        TEXT,
    submit_no             BIGINT NOT NULL DEFAULT 0,
    -- Submissions whose request may have reached the payer; while above zero, nothing may forget it.
    maybe_sent            BIGINT NOT NULL DEFAULT 0,
    last_sent_at          BIGINT,
    transaction_id        TEXT,
    charged_minor         BIGINT,
    charged_currency      TEXT,
    delivered_minor       BIGINT,
    delivered_currency    TEXT,
    counted_minor         BIGINT NOT NULL DEFAULT 0 CHECK (counted_minor >= 0),
    before_balance_minor  BIGINT,
    before_currency       TEXT,
    before_data_left      BIGINT,
    before_service_end_at BIGINT,
    before_read_at        BIGINT,
    not_found             BIGINT NOT NULL DEFAULT 0,
    not_found_since       BIGINT,
    looks                 BIGINT NOT NULL DEFAULT 0,
    next_action_at        BIGINT,
    reserved_at           BIGINT,
    paid_at               BIGINT,
    finalized_at          BIGINT,
    approved_at           BIGINT,
    approved_by           TEXT,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    version               BIGINT NOT NULL,
    -- The state machine once more, so that no path around the code can break it.
    CHECK ((state IN ('verified', 'failed', 'cancelled', 'reversed')) = (finalized_at IS NOT NULL)),
    CHECK (state IN ('proposed', 'awaiting_approval', 'cancelled')
           OR (request IS NOT NULL AND request_sha256 IS NOT NULL AND reserved_at IS NOT NULL)),
    CHECK (state IN ('proposed', 'awaiting_approval', 'reserved', 'cancelled') OR submit_no > 0),
    CHECK (state NOT IN ('paid', 'verified') OR paid_at IS NOT NULL),
    CHECK (state <> 'cancelled' OR maybe_sent = 0),
    CHECK ((state IN ('reserved', 'submitting', 'pending', 'unknown', 'held')) <= (counted_minor > 0)),
    CHECK ((state IN ('proposed', 'awaiting_approval', 'failed', 'cancelled', 'reversed')) <= (counted_minor = 0)),
    CHECK ((charged_minor IS NULL) = (charged_currency IS NULL))
);
-- One open top-up per subscription; one not-failed top-up per need: indexes, not locks.
CREATE UNIQUE INDEX topups_one_open ON topups (subscription_id) WHERE state IN (
    'proposed', 'awaiting_approval', 'reserved', 'submitting', 'pending', 'unknown', 'paid', 'held');
CREATE UNIQUE INDEX topups_one_per_need ON topups (need_id) WHERE state NOT IN ('failed', 'cancelled');
CREATE UNIQUE INDEX topups_reference ON topups (payer, reference);
CREATE UNIQUE INDEX topups_transaction ON topups (payer, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX topups_due ON topups (state, next_action_at);
CREATE INDEX topups_reserved ON topups (reserved_at) WHERE counted_minor > 0;
CREATE INDEX topups_by_subscription ON topups (subscription_id, created_at);

-- Append-only history; the arrows are the whole table of the state machine.
CREATE TABLE topup_events (
    topup_id   TEXT   NOT NULL REFERENCES topups (id),
    seq        BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    from_state TEXT   NOT NULL,
    to_state   TEXT   NOT NULL,
    actor      TEXT   NOT NULL,
    why        TEXT   NOT NULL,
    evidence   TEXT,
    PRIMARY KEY (topup_id, seq),
    CHECK (from_state || '>' || to_state IN (
        'none>proposed',
        'proposed>awaiting_approval', 'proposed>reserved', 'proposed>cancelled',
        'awaiting_approval>reserved', 'awaiting_approval>cancelled',
        'reserved>submitting', 'reserved>cancelled',
        'submitting>pending', 'submitting>paid', 'submitting>failed', 'submitting>unknown',
        'submitting>held', 'submitting>reserved',
        'pending>paid', 'pending>failed', 'pending>unknown', 'pending>held',
        'unknown>paid', 'unknown>pending', 'unknown>failed', 'unknown>held', 'unknown>reserved',
        'paid>verified', 'paid>reversed', 'paid>held',
        'held>paid', 'held>verified', 'held>failed',
        'verified>reversed')
        OR from_state = to_state)
);

-- Append-only money movements.
CREATE TABLE ledger (
    topup_id        TEXT   NOT NULL REFERENCES topups (id),
    seq             BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    kind            TEXT   NOT NULL CHECK (kind IN ('reserve', 'settle', 'release', 'reverse')),
    amount_minor    BIGINT NOT NULL CHECK (amount_minor >= 0),
    currency        TEXT   NOT NULL,
    subscription_id TEXT   NOT NULL,
    subscriber_id   TEXT   NOT NULL,
    payer           TEXT   NOT NULL,
    PRIMARY KEY (topup_id, seq)
);
CREATE INDEX ledger_by_time ON ledger (at);

-- Safeties that tripped; paying stays off until a person clears them.
CREATE TABLE breakers (
    name       TEXT   PRIMARY KEY,
    tripped_at BIGINT NOT NULL,
    why        TEXT   NOT NULL,
    cleared_at BIGINT
);

-- What was said ------------------------------------------------------------------------------

CREATE TABLE notices (
    id              TEXT   PRIMARY KEY,
    dedupe_key      TEXT   NOT NULL UNIQUE,
    subscriber_id   TEXT   NOT NULL,
    subscription_id TEXT,
    topup_id        TEXT,
    kind            TEXT   NOT NULL,
    severity        TEXT   NOT NULL CHECK (severity IN ('info', 'warning', 'high', 'critical')),
    channel         TEXT,
    facts           TEXT   NOT NULL,
    state           TEXT   NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'dropped', 'dead')),
    attempts        BIGINT NOT NULL DEFAULT 0,
    ambiguous       BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    next_try_at     BIGINT,
    expires_at      BIGINT NOT NULL,
    sent_at         BIGINT,
    last_error      TEXT,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
    CHECK ((state IN ('queued', 'sending')) = (next_try_at IS NOT NULL))
);
CREATE INDEX notices_due ON notices (next_try_at);
CREATE INDEX notices_by_time ON notices (created_at);

CREATE TABLE deliveries (
    notice_id TEXT   NOT NULL REFERENCES notices (id),
    attempt   BIGINT NOT NULL,
    channel   TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    outcome   TEXT   NOT NULL,
    detail    TEXT,
    PRIMARY KEY (notice_id, attempt)
);

-- Who may use the API. Only the hash of a token is kept.
CREATE TABLE tokens (
    id         TEXT   PRIMARY KEY,
    role       TEXT   NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    hash       TEXT   NOT NULL UNIQUE,
    note       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
