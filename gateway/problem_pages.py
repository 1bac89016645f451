"""What every problem means, for whoever follows its type: the edge knows the slugs of all services.

`problem_pages.json` is generated (`make docs`); a test fails when it is stale.
"""

import json
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from kit.problems import NotFound

_PAGES = Path(__file__).parent / "problem_pages.json"

router = APIRouter(include_in_schema=False)


@router.get("/problems/{slug}")
async def page(slug: str) -> PlainTextResponse:
    """Status, title and what to do; public, without data."""
    text = _pages().get(slug)
    if text is None:
        raise NotFound
    return PlainTextResponse(text)


@cache
def _pages() -> dict[str, str]:
    found: dict[str, str] = json.loads(_PAGES.read_text())
    return found
