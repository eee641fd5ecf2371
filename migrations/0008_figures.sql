-- What is counted at every scrape, and what is asked of payers at every decision, by index alone:
-- neither grows dear with years of history.

-- The ends that the newest usable reading spoke of, as in that reading.
ALTER TABLE watches ADD COLUMN service_end_at BIGINT;
ALTER TABLE watches ADD COLUMN number_loss_at BIGINT;
UPDATE watches SET
    service_end_at = (SELECT r.service_end_at FROM readings r
        WHERE r.subscription_id = watches.subscription_id AND r.at = watches.ok_at),
    number_loss_at = (SELECT r.number_loss_at FROM readings r
        WHERE r.subscription_id = watches.subscription_id AND r.at = watches.ok_at);

CREATE INDEX subscriptions_by_status ON subscriptions (status, id);
CREATE INDEX topups_sent ON topups (payer, last_sent_at) WHERE last_sent_at IS NOT NULL;
CREATE INDEX notices_dead ON notices (created_at) WHERE state = 'dead';
