-- What a CRM said of the columns that a module goes into when it was last looked at (types, lengths,
-- numbers of options; labels as digests), so that a change can be said in words. No record data.
CREATE TABLE described (
    connection uuid NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
    module text NOT NULL,
    fingerprint text NOT NULL,
    facts jsonb NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connection, module)
);

ALTER TABLE connection
    ADD COLUMN schema_changed_at timestamptz,
    -- The last change, a sentence for each column that it touched.
    ADD COLUMN schema_changes jsonb NOT NULL DEFAULT '[]';
