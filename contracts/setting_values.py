"""The kinds of values that settings have; each refuses what could not work, in words that go on
after the setting's name. The value itself is never part of them."""

import json
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from kit.sealing import read_key
from kit.sealing.keys import refuse_open


def _file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("names a file that is not there")
    if not os.access(path, os.R_OK):
        raise ValueError("names a file that this process may not read")
    if not path.stat().st_size:
        raise ValueError("names a file that is empty")
    return path


def _secret_file(path: Path) -> Path:
    try:
        refuse_open(path)
    except ValueError:
        raise ValueError("names a file that others may write: its mode should be 0600") from None
    return path


def _key_file(path: Path) -> Path:
    try:
        read_key(path)
    except ValueError:
        raise ValueError("names a file that holds no key (32 random bytes in base64url)") from None
    return path


def _identities_file(path: Path) -> Path:
    try:
        found = json.loads(path.read_text())
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise ValueError("names a file that is not a JSON object of services and their keys")
    return path


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("names a folder that is not there")
    return path


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("is not an absolute path")
    return path


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port or 0
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("is not an address such as http://auth:8000")
    if f"{parts.scheme}://{parts.netloc}" != text or (":" in text[8:] and not port):
        raise ValueError("has something after the host and port")
    return text


def _texts(given: object) -> object:
    if not isinstance(given, str):
        return given
    try:
        found = json.loads(given)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError('is not a JSON list of texts such as ["192.0.2.0/24"]')
    return found


Port = Annotated[int, Field(ge=1, le=65_535)]
ReadableFile = Annotated[Path, AfterValidator(_file)]
SecretFile = Annotated[ReadableFile, AfterValidator(_secret_file)]
KeyFile = Annotated[SecretFile, AfterValidator(_key_file)]
IdentitiesFile = Annotated[ReadableFile, AfterValidator(_identities_file)]
Folder = Annotated[Path, AfterValidator(_folder)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Address = Annotated[str, AfterValidator(_address)]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_texts)]
