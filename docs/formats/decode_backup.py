"""Opens a Bulkhead backup without Bulkhead: gives back the dump that pg_restore reads.

    python decode_backup.py FILE.tbk --kek KEK_FILE --keyring TENANT.json > tenant.dump
    pg_restore --list tenant.dump

Needs PyNaCl and zstandard only. It is written from docs/formats/backup.md and shares no code with
the service, so each is a check of the other. It ends with an error unless every byte is as stored.
"""

import argparse
import base64
import hashlib
import json
import sys
from pathlib import Path

import zstandard
from nacl import bindings as sodium


def check(holds, words):
    if not holds:
        sys.exit(words)


def b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical(**members):
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


def unseal(key, sealed, ad):
    check(sealed[:1] == b"\x01", "unknown sealed value")
    decrypt = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt
    return decrypt(sealed[25:], ad, sealed[1:25], key)


def data_key(header, kek, keyring):
    tenant, version = header["t"], header["kv"]
    ad = canonical(p="bulkhead-keyring", t=tenant, kv=version)
    tenant_key = unseal(kek, b64(keyring["keys"][str(version)]), ad)
    names = {name: header[name] for name in ("t", "b", "k", "kv")}
    return unseal(tenant_key, b64(header["dek"]), canonical(p="bulkhead-backup", **names))


def decode(source, target, kek, keyring):
    check(source.read(4) == b"TBK1", "not a backup")
    header = source.read(int.from_bytes(source.read(4), "big"))
    ad = hashlib.blake2b(b"TBK1" + header, digest_size=32).digest()
    state = sodium.crypto_secretstream_xchacha20poly1305_state()
    key = data_key(json.loads(header), kek, keyring)
    sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, source.read(24), key)
    final = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
    unpack, tag = zstandard.ZstdDecompressor().decompressobj(), 0
    while length := source.read(4):
        check(tag != final, "data after the end")
        frame = source.read(int.from_bytes(length, "big"))
        plain, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(state, frame, ad)
        target.write(unpack.decompress(plain))
    check(tag == final, "the file is cut off")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--kek", type=Path, required=True)
    parser.add_argument("--keyring", type=Path, required=True)
    options = parser.parse_args()
    kek_bytes, keys = b64(options.kek.read_text().strip()), json.loads(options.keyring.read_text())
    with options.file.open("rb") as opened:
        decode(opened, sys.stdout.buffer, kek_bytes, keys)
