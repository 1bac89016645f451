"""Files for Envoy: complete or not there, readable by nobody else."""

import os
from pathlib import Path


def write(path: Path, content: bytes) -> bool:
    """Replace `path` by a rename in its folder; False where it already holds `content`."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
    return True
