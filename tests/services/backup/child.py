"""The backup service's work as a process of its own, to be killed.

child.py FOLDER TENANTS_URL [PG_BIN_DIR]
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from kit import base64url
from kit.messaging.memory import MemoryBroker
from kit.sealing import SigningKey
from services.backup.app import create_app
from tests.services.backup.running_backup import settings_in


async def main(folder: Path, tenants_url: str, tools: Path | None) -> None:
    url = (folder / "database_url").read_text()
    identity = SigningKey(base64url.decode((folder / "identity_key").read_text()))
    changes: dict[str, Any] = {"tenants_url": tenants_url, "turn_s": 3.0, "pg_bin_dir": tools}
    settings = settings_in(folder, url, identity, **changes)
    app = create_app(settings, broker=MemoryBroker())
    async with app.router.lifespan_context(app):
        await asyncio.Event().wait()


if __name__ == "__main__":
    given = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], given))
