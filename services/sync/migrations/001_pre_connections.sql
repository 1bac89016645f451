-- include kit/outbox 001

-- Each tenant's own key, wrapped by the key-encryption key that only a file holds.
CREATE TABLE tenant_key (
    tenant uuid NOT NULL,
    version integer NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, version)
);

CREATE TABLE connection (
    id uuid PRIMARY KEY,
    tenant uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('dataverse')),
    state text NOT NULL CHECK (state IN ('active', 'paused', 'broken', 'removed')),
    reason text NOT NULL DEFAULT '',
    suspended boolean NOT NULL DEFAULT false,
    environment_host text NOT NULL,
    authority_host text NOT NULL,
    directory_id text NOT NULL,
    client_id text NOT NULL,
    modules jsonb NOT NULL,
    position text,
    -- Grows whenever reading has to start over, so that a page read before cannot be saved.
    generation integer NOT NULL DEFAULT 0,
    -- Nothing is sent before this moment: the CRM's Retry-After, or our own back-off.
    retry_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    parallel_hint integer,
    pushed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX connection_tenant ON connection (tenant, id);

CREATE TABLE credential (
    connection uuid NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
    slot text NOT NULL CHECK (slot IN ('current', 'next')),
    key_version integer NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connection, slot)
);

-- One row per record that the connection has been told of: what is still to do, and keyed hashes
-- of what the CRM has acknowledged. No record data.
CREATE TABLE outgoing (
    connection uuid NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
    record uuid NOT NULL,
    module text NOT NULL,
    key text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'ok', 'retry', 'parked', 'removed')),
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT now(),
    failing_since timestamptz,
    reason text NOT NULL DEFAULT '',
    -- The CRM's own words may quote record data: sealed with the tenant's key.
    detail bytea,
    sent jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connection, record)
);

CREATE INDEX outgoing_due ON outgoing (connection, module, not_before, record)
    WHERE state IN ('pending', 'retry');
CREATE INDEX outgoing_state ON outgoing (connection, state, record);

-- Every call that left, kept when its connection is removed. A line without status and error is a
-- call whose outcome is unknown.
CREATE TABLE ledger (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    tenant uuid NOT NULL,
    connection uuid NOT NULL,
    host text NOT NULL,
    method text NOT NULL,
    operation text NOT NULL,
    table_name text,
    fields text[] NOT NULL,
    rows integer NOT NULL,
    request_bytes bigint NOT NULL,
    response_bytes bigint,
    status integer,
    duration_ms integer,
    error text
);

CREATE INDEX ledger_connection ON ledger (tenant, connection, id DESC);
