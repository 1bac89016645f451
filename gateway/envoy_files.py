"""Files for Envoy: complete or not there, readable by nobody else, untouched where they stay."""

from pathlib import Path

from kit import files


def write(path: Path, content: bytes) -> bool:
    """Replace `path` by a rename in its folder; False where it already holds `content`."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.replace(path, content)
    return True
