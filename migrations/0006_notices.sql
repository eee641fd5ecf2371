-- What single channels call a person, and what became of a message after it was accepted.

ALTER TABLE subscribers ADD COLUMN addresses TEXT NOT NULL DEFAULT '{}';

-- The vendor's id of the message, and what its reports say: underway, delivered, failed.
ALTER TABLE notices ADD COLUMN vendor_id TEXT;
ALTER TABLE notices ADD COLUMN delivery TEXT;
ALTER TABLE notices ADD COLUMN delivery_at BIGINT;
-- When the vendor is asked next (null where it is not), and how often it was.
ALTER TABLE notices ADD COLUMN delivery_ask_at BIGINT;
ALTER TABLE notices ADD COLUMN delivery_asked BIGINT NOT NULL DEFAULT 0;

CREATE INDEX notices_by_vendor ON notices (vendor_id) WHERE vendor_id IS NOT NULL;
CREATE INDEX notices_to_ask ON notices (delivery_ask_at) WHERE delivery_ask_at IS NOT NULL;

-- Which operator a payer says a number is with, asked before money moves. `asked_of` is the number
-- and the operator it was compared with; without `said` the payer could not tell; `differs` is 1
-- where both are known and are not of the same network.
CREATE TABLE operators_said (
    subscription_id TEXT   NOT NULL,
    payer           TEXT   NOT NULL,
    asked_of        TEXT   NOT NULL,
    said            TEXT,
    differs         BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    PRIMARY KEY (subscription_id, payer)
);

-- Reminders: `reminds` is the first notice of the chain, `remind_at` when the next one is due.
ALTER TABLE notices ADD COLUMN reminds TEXT;
ALTER TABLE notices ADD COLUMN reminder_no BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notices ADD COLUMN remind_at BIGINT;
ALTER TABLE notices ADD COLUMN acknowledged_at BIGINT;
ALTER TABLE notices ADD COLUMN acknowledged_by TEXT;

CREATE INDEX notices_to_remind ON notices (remind_at) WHERE remind_at IS NOT NULL;
CREATE INDEX notices_reminding ON notices (reminds) WHERE reminds IS NOT NULL;

-- Links that were used: each works once.
CREATE TABLE used_links (
    token TEXT   PRIMARY KEY,
    at    BIGINT NOT NULL
);

-- 1 once those who look after the installation were told that a notice was given up.
ALTER TABLE notices ADD COLUMN escalated BIGINT NOT NULL DEFAULT 0;

CREATE INDEX notices_given_up ON notices (created_at) WHERE state = 'dead' AND escalated = 0;
CREATE INDEX notices_sent_to ON notices (subscriber_id, sent_at) WHERE sent_at IS NOT NULL;

-- What may be told in one digest: src/store/digest.rs has the same condition.
CREATE INDEX notices_to_gather ON notices (subscriber_id, next_try_at) WHERE
    state = 'queued' AND attempts = 0 AND severity <> 'critical'
    AND kind IN ('low_balance', 'expiry_near', 'stale', 'recovered', 'flapping');

CREATE INDEX notices_of_months ON notices (subscriber_id, created_at) WHERE kind = 'statement';
