"""Envoy's own log is JSON lines only, like everybody's."""

import json

from tests.eventually import eventually
from tests.gateway.edge_parts import EdgeUnderTest


async def test_every_line_of_envoy_is_json_with_the_names_that_ours_have(
    edge: EdgeUnderTest,
) -> None:
    file = edge.settings.edge_dir / "lds.json"
    right = file.read_text()

    def complaints() -> list[dict[str, str]]:
        lines = (edge.settings.edge_dir / "envoy.log").read_text().splitlines()
        return [line for line in map(json.loads, lines) if line["level"] == "warning"]

    so_far = len(complaints())
    draft = file.with_suffix(".draft")
    draft.write_text('{"resources": [{"broken": "\\"twice"}]}')
    draft.replace(file)
    try:
        await eventually(lambda: len(complaints()) > so_far)
    finally:
        draft.write_text(right)
        draft.replace(file)
    assert complaints()[-1].keys() == {"at", "level", "service", "logger", "message"}
