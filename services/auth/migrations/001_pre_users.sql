-- include kit/outbox 001

-- The tenants that this service has been told of; the tenants service owns them.
CREATE TABLE tenant (
    id uuid PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('active', 'suspended', 'closed')),
    changed_at timestamptz NOT NULL
);

-- Operators of the platform have no tenant; a user has a password once the invitation is accepted.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    tenant uuid REFERENCES tenant,
    email text NOT NULL,
    password_hash text,
    level integer NOT NULL CHECK (level BETWEEN 1 AND 99),
    level_version integer NOT NULL DEFAULT 1,
    invited_at timestamptz NOT NULL,
    joined_at timestamptz,
    UNIQUE NULLS NOT DISTINCT (tenant, email),
    CHECK ((password_hash IS NULL) = (joined_at IS NULL))
);

-- One open invitation a user; accepting it removes it, inviting again replaces it.
CREATE TABLE invitation (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE,
    expires_at timestamptz NOT NULL
);

CREATE TABLE session (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    ended_at timestamptz
);

CREATE INDEX session_user_id ON session (user_id);
CREATE INDEX session_ends_at ON session (ends_at);

-- The family of refresh tokens of a session; `successor` opens only with the token itself.
CREATE TABLE refresh_token (
    hash bytea PRIMARY KEY,
    session uuid NOT NULL REFERENCES session ON DELETE CASCADE,
    generation integer NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    successor bytea,
    UNIQUE (session, generation)
);

-- Names as keyed by who asks, whether or not they exist: the two must look the same.
CREATE TABLE login_attempt (
    name_hash bytea NOT NULL,
    client_class text NOT NULL,
    faulty integer NOT NULL DEFAULT 0,
    blocked_until timestamptz,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (name_hash, client_class)
);

CREATE INDEX login_attempt_last_at ON login_attempt (last_at);
