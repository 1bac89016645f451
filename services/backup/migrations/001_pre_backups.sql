-- include kit/outbox 001

-- What the vault holds is the truth about backups; these tables are the index and the queue.
CREATE TABLE tenant (
    tenant uuid PRIMARY KEY,
    known_at timestamptz NOT NULL DEFAULT now(),
    covered_until timestamptz,
    failures integer NOT NULL DEFAULT 0,
    retry_at timestamptz
);

CREATE TABLE snapshot (
    snapshot uuid PRIMARY KEY,
    tenant uuid NOT NULL REFERENCES tenant (tenant),
    cause text NOT NULL CHECK (cause IN ('demand', 'schedule')),
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'verified', 'failed', 'expired')),
    reason text,
    attempts integer NOT NULL DEFAULT 0,
    requested_by uuid,
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    taken_at timestamptz,
    size_bytes bigint,
    row_count bigint,
    proved text CHECK (proved IN ('archive', 'restored'))
);
CREATE UNIQUE INDEX snapshot_one_open ON snapshot (tenant) WHERE state IN ('queued', 'running');
CREATE INDEX snapshot_by_tenant ON snapshot (tenant, snapshot);

CREATE TABLE restore (
    restore uuid PRIMARY KEY,
    tenant uuid NOT NULL REFERENCES tenant (tenant),
    snapshot uuid NOT NULL REFERENCES snapshot (snapshot),
    state text NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'queued', 'running', 'swapping', 'completed', 'failed')),
    reason text,
    plan jsonb NOT NULL,
    target text,
    planned_by uuid,
    planned_at timestamptz NOT NULL DEFAULT now(),
    executed_by uuid,
    started_at timestamptz,
    finished_at timestamptz
);
CREATE UNIQUE INDEX restore_one_open ON restore (tenant)
    WHERE state IN ('queued', 'running', 'swapping');
CREATE INDEX restore_by_tenant ON restore (tenant, restore);

-- A tenant's turn: at most one run at a time per tenant, until the holder stops renewing it.
CREATE TABLE turn (
    tenant uuid PRIMARY KEY REFERENCES tenant (tenant),
    holder uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
