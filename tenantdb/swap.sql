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
