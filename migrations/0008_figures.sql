-- What is counted at every scrape, and what is asked of payers at every decision, by index alone:
-- neither grows dear with years of history.
CREATE INDEX subscriptions_by_status ON subscriptions (status, id);
CREATE INDEX topups_by_payer ON topups (payer, state);
CREATE INDEX topups_sent ON topups (payer, last_sent_at) WHERE last_sent_at IS NOT NULL;
CREATE INDEX notices_dead ON notices (created_at) WHERE state = 'dead';
