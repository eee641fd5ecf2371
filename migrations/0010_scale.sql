-- A million lines: no look that comes every second or with every decision may read all of them.

-- Due decisions in their order, also where all lines became due in one moment.
DROP INDEX watches_decide_due;
CREATE INDEX watches_decide_due ON watches (next_decide_at, subscription_id);

-- Readers whose polls fail; who was read when; whose values are doubted.
CREATE INDEX watches_failing ON watches (reader) WHERE poll_failures > 1 AND next_poll_at IS NOT NULL;
CREATE INDEX watches_by_reading ON watches (reader, ok_at);
CREATE INDEX watches_doubted ON watches (reader, doubt_since) WHERE doubt_since IS NOT NULL;

-- What ends first stands first: src/store/overview.rs has the same expression.
CREATE INDEX watches_by_end ON watches ((CASE WHEN service_end_at IS NULL OR number_loss_at < service_end_at
    THEN number_loss_at ELSE service_end_at END), subscription_id);

-- What is closed ends no more.
UPDATE watches SET service_end_at = NULL, number_loss_at = NULL
    WHERE subscription_id IN (SELECT id FROM subscriptions WHERE status = 'closed');

-- What matters most is sent first, then what has been due for longest.
CREATE INDEX notices_to_send ON notices (severity, next_try_at, created_at, id) WHERE next_try_at IS NOT NULL;

-- Given up and worth telling somebody else: src/store/given_up.rs has the same condition.
DROP INDEX notices_given_up;
CREATE INDEX notices_given_up ON notices (created_at) WHERE state = 'dead' AND escalated = 0
    AND severity IN ('high', 'critical') AND kind <> 'undelivered';

-- Every line is to be judged again, in bunches: those after this id still are. NULL: none.
ALTER TABLE installation ADD COLUMN judge_after TEXT;

-- What a day's readings said, kept when the readings themselves are not any more. `day` counts from
-- 1970-01-01, UTC; balances are in `currency`, those of other currencies on that day are left out.
CREATE TABLE reading_days (
    subscription_id     TEXT   NOT NULL REFERENCES subscriptions (id),
    day                 BIGINT NOT NULL,
    readings            BIGINT NOT NULL,
    failures            BIGINT NOT NULL,
    currency            TEXT,
    balance_first_minor BIGINT,
    balance_last_minor  BIGINT,
    balance_min_minor   BIGINT,
    balance_max_minor   BIGINT,
    data_left_bytes     BIGINT,
    service_end_at      BIGINT,
    PRIMARY KEY (subscription_id, day),
    CHECK ((currency IS NULL) = (balance_last_minor IS NULL))
);

-- Work that goes through all rows in bunches: when it is due, how far it came, and who is at it
-- until when.
CREATE TABLE chores (
    name         TEXT   PRIMARY KEY,
    next_at      BIGINT NOT NULL,
    progress     TEXT   NOT NULL DEFAULT '',
    -- Retention: the days before this one were rolled up, of every line.
    done_before  BIGINT,
    held_by      TEXT,
    held_until   BIGINT
);
INSERT INTO chores (name, next_at) VALUES ('retention', 0);
