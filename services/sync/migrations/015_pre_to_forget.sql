-- What a connection still believes of rows that are not its own any more (another CRM, table or key
-- column), or of all rows of one that was removed: forgotten part by part. Nothing is sent before.
ALTER TABLE connection
    ADD COLUMN to_forget jsonb,
    -- The last record of the part that was forgotten last.
    ADD COLUMN forgotten_to uuid,
    -- How often something had to be forgotten: what left before that says nothing of rows since.
    ADD COLUMN forgets integer NOT NULL DEFAULT 0;

-- Forms of keys that are longer than that are digests from now on: they are made again.
UPDATE outgoing SET same_key = NULL, crm_key = NULL WHERE octet_length(same_key) > 2000
    OR octet_length(crm_key) > 2000;

CREATE INDEX connection_to_forget ON connection (id) WHERE to_forget IS NOT NULL;
