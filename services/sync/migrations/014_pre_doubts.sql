-- When the last call left for a row of which nobody knows whether and when it is carried out; null:
-- the end of each one is known.
ALTER TABLE outgoing ADD COLUMN doubted_at timestamptz;
CREATE INDEX outgoing_doubted ON outgoing (connection, doubted_at) WHERE doubted_at IS NOT NULL;
-- Whoever is only not chosen may be gone, and is told from who is.
UPDATE outgoing SET code = 'not-chosen'
WHERE state = 'removed' AND code = 'gone'
    AND reason = 'the record''s module is not chosen any more; its row in the CRM stays';
