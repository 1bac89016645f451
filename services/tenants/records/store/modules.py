"""SQL on module definitions: which modules a tenant has, and their typed fields."""

from typing import cast

from services.tenants.records.fields import Field, Kind
from services.tenants.records.modules import Module
from tenantdb import TenantSession

_LOAD = """SELECT d.key_field, f.field, f.kind, f.required, f.max_length
    FROM module_definition d LEFT JOIN module_field f USING (module)
    WHERE d.module = $1 ORDER BY f.position"""

_ALL = """SELECT json_build_object('modules', coalesce(json_agg(json_build_object(
        'module', d.module, 'label', d.label, 'key_field', d.key_field,
        'fields', (SELECT coalesce(json_agg(json_build_object(
                'field', f.field, 'label', f.label, 'kind', f.kind, 'required', f.required,
                'max_length', f.max_length) ORDER BY f.position), '[]')
            FROM module_field f WHERE f.module = d.module)
    ) ORDER BY d.module), '[]'))::text
    FROM module_definition d WHERE d.module = ANY ($1::text::text[])"""


async def load(session: TenantSession, name: str) -> Module | None:
    """The definition of a module, or None."""
    rows = await session.fetch(_LOAD, name)
    if not rows:
        return None
    fields = {
        row["field"]: Field(
            row["field"], cast(Kind, row["kind"]), row["required"], row["max_length"]
        )
        for row in rows
        if row["field"] is not None
    }
    return Module(name, fields, rows[0]["key_field"])


async def all_as_json(session: TenantSession, names: str) -> str:
    """The definitions of the named modules (text of an array) as a JSON document."""
    return cast(str, await session.fetchval(_ALL, names))
