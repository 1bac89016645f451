-- Which fields of which modules a connection maps, as sync tells it: {"module": ["field", ...]}.
-- What is chosen leaves only as far as it is mapped. A connection without a row has not been told of
-- yet: it was made before this table, and its choice holds as it is until then.
CREATE TABLE connection_mapping (
    connection uuid PRIMARY KEY,
    modules jsonb NOT NULL CHECK (jsonb_typeof(modules) = 'object')
);

SELECT journal_attach('connection_mapping');

-- What may leave over a connection: what is chosen and mapped.
CREATE VIEW open_field WITH (security_invoker = true) AS
SELECT c.connection, c.module, c.field
FROM field_choice c LEFT JOIN connection_mapping m USING (connection)
WHERE m.connection IS NULL OR m.modules -> c.module ? c.field;
