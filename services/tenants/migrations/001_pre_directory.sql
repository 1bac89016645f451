-- The directory: which tenant has which database, what is leased, restored, and set aside.
-- include kit/outbox 001

CREATE TABLE tenant (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name <> '' AND length(name) <= 200),
    state text NOT NULL CHECK (state IN ('provisioning', 'active', 'suspended')),
    database text NOT NULL UNIQUE CHECK (database ~ '^t_[a-z2-7]{26}$'),
    wrapped_key bytea NOT NULL,
    sealed_password bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE lease (
    id uuid PRIMARY KEY,
    tenant uuid NOT NULL REFERENCES tenant (id),
    purpose text NOT NULL CHECK (purpose IN ('dump', 'restore')),
    role text NOT NULL UNIQUE,
    database text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX lease_open ON lease (ends_at) WHERE ended_at IS NULL;

-- One row per restore. `aside` is chosen when the swap is decided, before anything is renamed, so
-- that a swap which was cut short is continued and never begun twice.
CREATE TABLE restore_target (
    tenant uuid NOT NULL REFERENCES tenant (id),
    restore uuid NOT NULL,
    database text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('open', 'swapping', 'swapped')),
    aside text UNIQUE CHECK ((aside IS NULL) = (state = 'open')),
    drop_aside_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, restore)
);
CREATE UNIQUE INDEX restore_target_one_swap ON restore_target (tenant) WHERE state = 'swapping';
CREATE INDEX restore_target_aside ON restore_target (drop_aside_at) WHERE drop_aside_at IS NOT NULL;
