-- Notices wait in the outbox, written in the transaction of the change they tell of; the relay
-- publishes and deletes them. The inbox remembers which notices a consumer has seen.
CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    topic text NOT NULL,
    body bytea NOT NULL,
    headers jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION outbox_wake_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER outbox_wake_relay AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_wake_relay();

GRANT USAGE ON SCHEMA public TO bulkhead_relay;
GRANT SELECT, DELETE ON outbox TO bulkhead_relay;

CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);

CREATE INDEX inbox_seen_at ON inbox (seen_at);
