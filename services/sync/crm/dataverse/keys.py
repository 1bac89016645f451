"""Keys as Dataverse compares and takes them; pure."""

import re
import unicodedata
from hashlib import blake2b
from typing import TypeGuard

# Dataverse cannot address a row by a key value that holds one of these.
_FORBIDDEN = re.compile(r"[/<>*%&:\\?+\x00-\x1f\x7f]")
_KEY_BYTES = 900  # of an alternate key in its index, where a text is UTF-16
# Forms stand in an index of ours, whose entries have 2,704 bytes at most: a letter comes apart into
# up to eighteen, so that the form of a key that everybody takes may be longer than that.
_FORM_BYTES, _SHOWN = 2000, 100
_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Letters that Latin1_General_CI_AI takes for others although Unicode does not take them apart.
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "þ": "th", "ı": "i"})


def key_problem(key: str) -> str | None:
    """Why Dataverse could not address a row by this key, or None."""
    if not key or key != key.strip():
        return "the record's key is empty or begins or ends with a space"
    if not same_key(key):
        return "the record's key has nothing but accents, which Dataverse does not compare"
    if len(key.encode("utf-16-le")) > _KEY_BYTES:
        return "the record's key is too long for an alternate key"
    if _FORBIDDEN.search(key):
        return "the record's key holds one of / < > * % & : \\ ? + which Dataverse refuses in keys"
    return None


def same_key(key: str) -> str:
    """Equal for keys that Dataverse takes for one: without case, accents, width, trailing blanks.

    Rather too wide than too narrow: of two keys that are taken for one by mistake a record waits
    for a person, of two that are not one overwrites the other. What is very long is told apart by
    its digest.
    """
    if key.isascii():
        return _bounded(key.lower().rstrip())
    plain = unicodedata.normalize("NFKD", key.casefold()).casefold()
    letters = "".join(each for each in plain if not unicodedata.combining(each))
    return _bounded(letters.translate(_LETTERS).rstrip())


def _bounded(form: str) -> str:
    whole = form.encode()
    if len(whole) <= _FORM_BYTES:
        return form
    return f"{form[:_SHOWN]}… {blake2b(whole, digest_size=32).hexdigest()}"


def is_id(value: object) -> TypeGuard[str]:
    """Whether this is an id as the CRM makes them: nothing else goes into an address."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None
