-- choices: all field choices, as JSON
SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]')::text FROM field_choice c

-- withdraw: what is not chosen there is not chosen here either
DELETE FROM field_choice c WHERE NOT EXISTS (
    SELECT FROM jsonb_to_recordset($1::text::jsonb)
        AS live (connection uuid, module text, field text)
    WHERE (live.connection, live.module, live.field) = (c.connection, c.module, c.field)
)

-- choose: what is chosen there is chosen here too, as far as the fields exist
INSERT INTO field_choice (connection, module, field)
SELECT connection, module, field
FROM jsonb_to_recordset($1::text::jsonb) AS live (connection uuid, module text, field text)
    JOIN module_field USING (module, field)
ON CONFLICT DO NOTHING

-- mappings: what all connections map, as JSON
SELECT coalesce(jsonb_agg(to_jsonb(m)), '[]')::text FROM connection_mapping m

-- unmap: a connection that is not known there is not known here either
DELETE FROM connection_mapping m WHERE NOT EXISTS (
    SELECT FROM jsonb_to_recordset($1::text::jsonb) AS live (connection uuid)
    WHERE live.connection = m.connection
)

-- map: what a connection maps there it maps here too
INSERT INTO connection_mapping (connection, modules)
SELECT connection, modules
FROM jsonb_to_recordset($1::text::jsonb) AS live (connection uuid, modules jsonb)
ON CONFLICT (connection) DO UPDATE SET modules = excluded.modules
    WHERE connection_mapping.modules <> excluded.modules
