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
