-- include kit/outbox 001

CREATE TABLE allowlist (
    scope text PRIMARY KEY CHECK (
        scope = 'global'
        OR scope ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
    ),
    ranges text[] NOT NULL CHECK (cardinality(ranges) BETWEEN 1 AND 256),
    changed_by uuid,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN allowlist.changed_by IS 'NULL: the settings of the first start';

CREATE TABLE suspended_tenant (
    tenant uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- Every gateway compares this number with the one it published last.
CREATE TABLE edge_revision (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision bigint NOT NULL
);
INSERT INTO edge_revision (revision) VALUES (1);

CREATE FUNCTION edge_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE edge_revision SET revision = revision + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER edge_changed AFTER INSERT OR UPDATE OR DELETE ON allowlist
    FOR EACH STATEMENT EXECUTE FUNCTION edge_changed();
CREATE TRIGGER edge_changed AFTER INSERT OR UPDATE OR DELETE ON suspended_tenant
    FOR EACH STATEMENT EXECUTE FUNCTION edge_changed();
