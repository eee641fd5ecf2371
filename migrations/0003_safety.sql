-- Money safety, provable: what the flight recorder gave back, the chained journal, what did not
-- agree with a provider's books.

-- The recorder that holds the SEND line of the last submission; see `store::recorder`.
ALTER TABLE topups ADD COLUMN sent_by TEXT;
-- Set on a top-up that the recorder knew to be sent and this database did not.
ALTER TABLE topups ADD COLUMN recovered_at BIGINT;
CREATE INDEX topups_recovered ON topups (recovered_at) WHERE recovered_at IS NOT NULL;

-- Recorders that were ever used with this database, and where each was last seen.
CREATE TABLE recorders (
    id        TEXT   PRIMARY KEY,
    place     TEXT   NOT NULL,
    opened_at BIGINT NOT NULL
);

-- One link for every row of topup_events, ledger and acts, and for every safety that tripped.
-- hash = SHA-256 over the hash before it and this row; the head is kept apart, so that a cut tail shows.
CREATE TABLE journal (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    subject TEXT   NOT NULL,
    digest  TEXT   NOT NULL,
    hash    TEXT   NOT NULL
);
CREATE TABLE journal_head (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    seq  BIGINT NOT NULL,
    hash TEXT   NOT NULL
);
INSERT INTO journal_head (id, seq, hash) VALUES (1, 0, '');

-- What our books and a provider's do not agree about, until a person or time settles it.
CREATE TABLE discrepancies (
    id             TEXT   PRIMARY KEY,
    kind           TEXT   NOT NULL CHECK (kind IN (
        'charged_after_failed', 'theirs_only', 'ours_only', 'amount', 'wallet', 'recorder')),
    payer          TEXT   NOT NULL,
    topup_id       TEXT,
    transaction_id TEXT,
    what           TEXT   NOT NULL,
    found_at       BIGINT NOT NULL,
    closed_at      BIGINT,
    closed_by      TEXT
);
CREATE INDEX discrepancies_open ON discrepancies (found_at) WHERE closed_at IS NULL;

-- When a payer's own list was last compared with ours.
CREATE TABLE reconciliations (
    payer         TEXT   PRIMARY KEY,
    at            BIGINT NOT NULL,
    wallet_minor  BIGINT,
    wallet_currency TEXT,
    wallet_at     BIGINT
);
