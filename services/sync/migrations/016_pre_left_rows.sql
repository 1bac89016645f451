-- Rows of the CRM that were ours, and of which we believe that they are gone: an environment that is
-- restored has them again, with the ids, keys and values that they had then. No record data.
CREATE TABLE left_row (
    connection uuid NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
    crm_id text NOT NULL,
    module text NOT NULL,
    -- Whose it was last, and with which key, in the form in which equal ones are equal.
    record uuid NOT NULL,
    same_key text NOT NULL,
    -- Whatever was sent into it.
    columns text[] NOT NULL,
    left_at timestamptz NOT NULL DEFAULT now(),
    -- When the CRM is asked whether it is there again; null: nothing says so.
    look_at timestamptz,
    PRIMARY KEY (connection, crm_id)
);

CREATE INDEX left_row_look ON left_row (connection, module, crm_id) WHERE look_at IS NOT NULL;
CREATE INDEX left_row_left ON left_row (left_at);
-- One row of the CRM has one owner, also where its key there is not what we believe.
CREATE INDEX outgoing_crm_id ON outgoing (connection, crm_id) WHERE crm_id IS NOT NULL;
