-- Which row of the CRM a record went into, in the CRM's own terms: what is known of a row is kept
-- under its identity there, not under the record's.
ALTER TABLE outgoing
    -- The record's key in the form in which two keys of one row are equal; null: not yet computed.
    ADD COLUMN same_key text,
    -- The key, in that form, of the row that this record owns there; null: it owns none.
    ADD COLUMN crm_key text,
    ADD COLUMN crm_id text,
    ADD COLUMN is_inactive boolean NOT NULL DEFAULT false,
    -- How often somebody has said that the record has to be looked at: what was decided before the
    -- last time settles nothing.
    ADD COLUMN marked integer NOT NULL DEFAULT 0,
    -- Its row is made again where it is gone, whatever the connection's policy says.
    ADD COLUMN recreates boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT outgoing_state_check,
    ADD CONSTRAINT outgoing_state_check
        CHECK (state IN ('pending', 'ok', 'empty', 'retry', 'parked', 'removed'));

CREATE UNIQUE INDEX outgoing_owner ON outgoing (connection, module, crm_key)
    WHERE crm_key IS NOT NULL;
CREATE INDEX outgoing_same_key ON outgoing (connection, module, same_key);
CREATE INDEX outgoing_unkeyed ON outgoing (connection, record) WHERE same_key IS NULL;
-- Parked rows are looked at again, slowly: they fall due like the others.
CREATE INDEX outgoing_next ON outgoing (connection, module, record)
    WHERE state IN ('pending', 'retry', 'parked');
CREATE INDEX outgoing_next_at ON outgoing (connection, module, not_before)
    WHERE state IN ('pending', 'retry', 'parked');

ALTER TABLE connection
    -- What becomes of a record whose row was deleted in the CRM.
    ADD COLUMN missing text NOT NULL DEFAULT 'recreate'
        CHECK (missing IN ('recreate', 'park', 'forget')),
    -- When a broken connection is looked at again, and how often it was.
    ADD COLUMN look_at timestamptz,
    ADD COLUMN looks integer NOT NULL DEFAULT 0;
UPDATE connection SET look_at = now() WHERE state = 'broken';
CREATE INDEX connection_look ON connection (look_at) WHERE state = 'broken';
