"""The files from which a command makes a connection: what is said of it, and its secret."""

import json
from pathlib import Path
from typing import Any

from ops.story.scene import Scene
from ops.story.syncing import connection_body


def written(folder: Path, stage: Scene, **more: Any) -> tuple[str, ...]:
    """The words behind `connection add`; `more` is said in the first file besides."""
    said = connection_body(stage, stage.crm_url) | more
    file, secret = folder / "crm.json", folder / "secret"
    secret.write_text(said.pop("client_secret") + "\n")
    file.write_text(json.dumps(said))
    return str(file), "--secret-file", str(secret)
