-- One push as its customer sees it: why it began, how far it is, how it ended. A run that was asked
-- for has no beginning yet; one without an end that nobody is at is ended by the next push.
CREATE TABLE run (
    id uuid PRIMARY KEY,
    connection uuid NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
    why text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('asked', 'running', 'done', 'stopped', 'cut', 'overtaken', 'failed',
            'interrupted')),
    reason text NOT NULL DEFAULT '',
    asked_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    -- When it last said how far it is.
    seen_at timestamptz,
    ended_at timestamptz,
    due integer NOT NULL DEFAULT 0,
    sent integer NOT NULL DEFAULT 0,
    unchanged integer NOT NULL DEFAULT 0,
    parked integer NOT NULL DEFAULT 0,
    retried integer NOT NULL DEFAULT 0,
    -- How often it ended like this, one time after the other, before anything was due.
    times integer NOT NULL DEFAULT 1
);

CREATE INDEX run_connection ON run (connection, id DESC);
CREATE INDEX run_open ON run (connection) WHERE ended_at IS NULL;
CREATE INDEX run_ended ON run (ended_at);

-- Why a row is as it is, in words that programs go by (services/sync/reasons.py).
ALTER TABLE outgoing ADD COLUMN code text NOT NULL DEFAULT '';

CREATE INDEX outgoing_code ON outgoing (connection, code, record) WHERE code <> '';
CREATE INDEX outgoing_key ON outgoing (connection, key);

-- The ledger is read by time, over any stretch of it.
CREATE INDEX ledger_time ON ledger (tenant, connection, at, id);
