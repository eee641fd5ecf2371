-- What single channels call a person, and what became of a message after it was accepted.

ALTER TABLE subscribers ADD COLUMN addresses TEXT NOT NULL DEFAULT '{}';

-- The vendor's id of the message, and what its reports say: underway, delivered, failed.
ALTER TABLE notices ADD COLUMN vendor_id TEXT;
ALTER TABLE notices ADD COLUMN delivery TEXT;
ALTER TABLE notices ADD COLUMN delivery_at BIGINT;
-- When the vendor is asked next; null where it is not.
ALTER TABLE notices ADD COLUMN delivery_ask_at BIGINT;

CREATE INDEX notices_by_vendor ON notices (vendor_id) WHERE vendor_id IS NOT NULL;
CREATE INDEX notices_to_ask ON notices (delivery_ask_at) WHERE delivery_ask_at IS NOT NULL;
