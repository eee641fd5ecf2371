-- What payers sell, as they last said: a cache, good for a day.
CREATE TABLE catalogues (
    provider TEXT   NOT NULL,
    scope    TEXT   NOT NULL,
    document TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (provider, scope)
);

-- What an order would cost at a payer: asked for before it is proposed where a line has several.
-- Without answered_at nobody has answered yet; without cost_minor the answer was no price.
CREATE TABLE prices (
    payer           TEXT   NOT NULL,
    product         TEXT   NOT NULL,
    amount_minor    BIGINT NOT NULL,
    currency        TEXT   NOT NULL,
    subscription_id TEXT   NOT NULL,
    wanted_at       BIGINT NOT NULL,
    answered_at     BIGINT,
    cost_minor      BIGINT,
    cost_currency   TEXT,
    bonus           TEXT,
    why             TEXT,
    PRIMARY KEY (payer, product, amount_minor, currency)
);
CREATE INDEX prices_wanted ON prices (payer, wanted_at) WHERE answered_at IS NULL;

-- Codes that were bought: sealed before anything else is written of them. One for each top-up.
CREATE TABLE pins (
    id              TEXT   PRIMARY KEY,
    topup_id        TEXT   NOT NULL UNIQUE,
    subscription_id TEXT   NOT NULL,
    payer           TEXT   NOT NULL,
    sealed          TEXT   NOT NULL,
    state           TEXT   NOT NULL CHECK (state IN ('stored', 'shown', 'redeeming', 'redeemed', 'rejected')),
    expires_at      BIGINT,
    stored_at       BIGINT NOT NULL,
    changed_at      BIGINT NOT NULL,
    actor           TEXT   NOT NULL,
    note            TEXT
);
CREATE INDEX pins_open ON pins (stored_at) WHERE state IN ('stored', 'shown', 'redeeming');
