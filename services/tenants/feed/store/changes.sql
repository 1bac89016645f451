-- modules: the modules of which a connection may see something
SELECT DISTINCT module FROM open_field WHERE connection = $1 ORDER BY module

-- chosen_present: those of some records that exist and whose module is open, without values
SELECT r.id, json_build_object('id', r.id, 'module', r.module, 'key', r.key, 'op', 'upsert',
    'version', r.version)::text AS json
FROM record r
WHERE r.module IN (SELECT module FROM open_field WHERE connection = $1)
    AND r.id = ANY ($2::text::uuid[])

-- chosen_walk: the next records by id whose module is open, without values
SELECT r.id, json_build_object('id', r.id, 'module', r.module, 'key', r.key, 'op', 'upsert',
    'version', r.version)::text AS json
FROM record r
WHERE r.module IN (SELECT module FROM open_field WHERE connection = $1)
    AND ($2::text IS NULL OR r.id > $2::text::uuid)
ORDER BY r.id LIMIT $3

-- chosen_counts: how many records each open module has, counted in the index of modules
SELECT coalesce(json_object_agg(m.module, (
    SELECT count(*) FROM record r WHERE r.module = m.module
)), '{}')::text
FROM (SELECT DISTINCT module FROM open_field WHERE connection = $1) AS m

-- chosen_values: whether a module is open and, at the same moment, present values of its open fields
WITH choice AS MATERIALIZED (
    SELECT module, array_agg(field) AS fields FROM open_field
    WHERE connection = $1 AND module = $2 GROUP BY module
)
SELECT json_build_object('chosen', EXISTS (SELECT FROM choice), 'rows', coalesce(json_agg(
    json_build_object('id', r.id, 'module', r.module, 'key', r.key, 'version', r.version,
        'fields', (SELECT jsonb_object_agg(f, r.data -> f) FROM unnest(c.fields) AS f))
), '[]'))::text
FROM record r JOIN choice c USING (module)
WHERE r.id = ANY ($3::text::uuid[])

-- whole_present: those of some records that exist, of the named modules, with all values
SELECT r.id, json_build_object('id', r.id, 'module', r.module, 'key', r.key, 'op', 'upsert',
    'version', r.version, 'fields', r.data)::text AS json
FROM record r
WHERE r.module = ANY ($1::text::text[]) AND r.id = ANY ($2::text::uuid[])

-- whole_walk: the next records by id of the named modules, with all values
SELECT r.id, json_build_object('id', r.id, 'module', r.module, 'key', r.key, 'op', 'upsert',
    'version', r.version, 'fields', r.data)::text AS json
FROM record r
WHERE r.module = ANY ($1::text::text[]) AND ($2::text IS NULL OR r.id > $2::text::uuid)
ORDER BY r.id LIMIT $3
