-- Who may look and act: people who sign in with a browser, what tokens are limited to, and what
-- everybody did.

-- What a token is limited to: '' (everything), 'subscriber:ID' or 'tag:WORD'.
ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT '';

CREATE TABLE users (
    name        TEXT   PRIMARY KEY,
    role        TEXT   NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    scope       TEXT   NOT NULL DEFAULT '',
    -- Argon2id, as a PHC string.
    password    TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT
);

-- A signed-in browser, by the hash of its cookie. `confirmed_at`: when the password was last typed.
CREATE TABLE sessions (
    hash         TEXT   PRIMARY KEY,
    user_name    TEXT   NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    confirmed_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_name);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- What people and tokens did, with how it was before and after where something changed.
CREATE TABLE audit (
    seq       BIGINT PRIMARY KEY,
    at        BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    act       TEXT   NOT NULL,
    target    TEXT   NOT NULL,
    status    BIGINT NOT NULL,
    before_is TEXT,
    after_is  TEXT
);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_target ON audit (target, at);

-- Answers to requests that named a key: the same request again gets the same answer.
CREATE TABLE idempotency_keys (
    actor      TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    request    TEXT   NOT NULL,
    status     BIGINT,
    answer     TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

CREATE INDEX notices_of_lines ON notices (subscription_id, created_at);
