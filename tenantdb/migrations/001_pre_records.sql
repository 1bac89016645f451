-- The tenant database: records, their modules, the field choice of each CRM connection, and the
-- append-only journal that only the triggers below can write.

-- Who this database belongs to (checked on every checkout) and which chain of positions it has.
CREATE TABLE tenant_identity (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    tenant uuid NOT NULL,
    chain uuid NOT NULL
);

CREATE TABLE module_definition (
    module text PRIMARY KEY CHECK (module ~ '^[a-z][a-z0-9_]{0,62}$'),
    label text NOT NULL CHECK (label <> ''),
    key_field text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE module_field (
    module text NOT NULL REFERENCES module_definition (module),
    field text NOT NULL CHECK (field ~ '^[a-z][a-z0-9_]{0,62}$'),
    label text NOT NULL CHECK (label <> ''),
    kind text NOT NULL
        CHECK (kind IN ('text', 'integer', 'decimal', 'boolean', 'date', 'timestamp', 'email', 'phone', 'url')),
    required boolean NOT NULL DEFAULT false,
    max_length integer NOT NULL DEFAULT 1000 CHECK (max_length BETWEEN 1 AND 100000),
    position integer NOT NULL,
    PRIMARY KEY (module, field)
);

-- A module's key field is one of its own fields; its value stands in record.key as well.
ALTER TABLE module_definition
    ADD FOREIGN KEY (module, key_field) REFERENCES module_field (module, field);

CREATE TABLE record (
    id uuid PRIMARY KEY,
    module text NOT NULL REFERENCES module_definition (module),
    key text CHECK (key <> '' AND length(key) <= 500),
    -- An object, so never the JSON null that a replay would turn into an SQL NULL.
    data jsonb NOT NULL CHECK (jsonb_typeof(data) = 'object'),
    responsible uuid,
    second_responsible uuid,
    team uuid,
    territory uuid,
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (module, key)
);
CREATE INDEX record_by_module ON record (module, id);
CREATE INDEX record_by_territory ON record (module, territory, id) WHERE territory IS NOT NULL;
CREATE INDEX record_by_responsible ON record (responsible, module, id) WHERE responsible IS NOT NULL;

CREATE TABLE field_choice (
    connection uuid NOT NULL,
    module text NOT NULL,
    field text NOT NULL,
    PRIMARY KEY (connection, module, field),
    FOREIGN KEY (module, field) REFERENCES module_field (module, field)
);

INSERT INTO module_definition (module, label) VALUES
    ('organisation', 'Organisation'),
    ('person', 'Person');

INSERT INTO module_field (module, field, label, kind, required, max_length, position) VALUES
    ('organisation', 'symbol', 'Symbol', 'text', false, 100, 1),
    ('organisation', 'name', 'Name', 'text', true, 200, 2),
    ('organisation', 'sector', 'Sector', 'text', false, 200, 3),
    ('organisation', 'sub_industry', 'Sub-industry', 'text', false, 200, 4),
    ('organisation', 'headquarters', 'Headquarters', 'text', false, 200, 5),
    ('organisation', 'date_added', 'Date added', 'date', false, 10, 6),
    ('organisation', 'cik', 'CIK', 'text', false, 20, 7),
    ('organisation', 'founded', 'Founded', 'text', false, 50, 8),
    ('person', 'first_name', 'First name', 'text', false, 100, 1),
    ('person', 'last_name', 'Last name', 'text', true, 100, 2),
    ('person', 'email', 'E-mail', 'email', false, 254, 3),
    ('person', 'phone', 'Phone', 'phone', false, 50, 4),
    ('person', 'title', 'Title', 'text', false, 100, 5),
    ('person', 'organisation', 'Organisation', 'text', false, 200, 6);

UPDATE module_definition SET key_field = 'symbol' WHERE module = 'organisation';
