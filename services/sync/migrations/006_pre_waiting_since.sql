-- Since when a change has been waiting, so that somebody can see how far behind a CRM is: kept for
-- as long as the row is due, however often its record changes meanwhile.
ALTER TABLE outgoing ADD COLUMN waiting_since timestamptz NOT NULL DEFAULT now();

CREATE INDEX outgoing_waiting ON outgoing (connection, module, waiting_since)
    WHERE state IN ('pending', 'retry');
