"""Keys, sealed values and streams, signatures: nothing opens unless every bit is as written."""

from kit.sealing.canonical import canonical
from kit.sealing.envelope import SealBroken, open_sealed, seal
from kit.sealing.frames import FrameReader, FrameWriter, decrypt_frames, encrypt_frames
from kit.sealing.keys import KEY_BYTES, Kek, new_key, read_key
from kit.sealing.signatures import SIGNATURE_BYTES, SigningKey, VerifyKey

__all__ = [
    "KEY_BYTES",
    "SIGNATURE_BYTES",
    "FrameReader",
    "FrameWriter",
    "Kek",
    "SealBroken",
    "SigningKey",
    "VerifyKey",
    "canonical",
    "decrypt_frames",
    "encrypt_frames",
    "new_key",
    "open_sealed",
    "read_key",
    "seal",
]
