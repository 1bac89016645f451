"""Which origins of browsers may read answers: exact ones, as browsers write them."""

import re

_ORIGIN = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)*(:[1-9][0-9]{0,4})?")
_LOCAL = re.compile(r"http://localhost(:[1-9][0-9]{0,4})?")


def checked(origins: tuple[str, ...]) -> tuple[str, ...]:
    """The same origins; ValueError for a wildcard, a path, or what no browser would send."""
    for place, origin in enumerate(origins):
        if not (_ORIGIN.fullmatch(origin) or _LOCAL.fullmatch(origin)):
            raise ValueError(f"origin {place} is not of the form https://app.example.org")
        if origin.endswith(":443"):
            raise ValueError(f"origin {place}: browsers leave :443 out")
    return origins
