-- Text messages that readings were made of, each by a hash of what tells it apart: one that is
-- posted again makes no second reading. Their texts are not kept.
CREATE TABLE messages (
    provider        TEXT   NOT NULL,
    message         TEXT   NOT NULL,
    subscription_id TEXT   NOT NULL REFERENCES subscriptions (id),
    stored_at       BIGINT NOT NULL,
    PRIMARY KEY (provider, message)
);
CREATE INDEX messages_by_time ON messages (stored_at);
