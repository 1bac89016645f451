-- What tenants has been told of each connection: that it is there, and which fields it maps. A
-- connection without a row has not been told of yet.
CREATE TABLE known_mapping (
    connection uuid PRIMARY KEY REFERENCES connection (id) ON DELETE CASCADE,
    -- Hash of what tenants has confirmed; null while nobody knows.
    told bigint,
    -- When it is told again, if nothing changes before; null: never.
    due_at timestamptz
);
