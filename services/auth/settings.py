"""Settings of the auth service; secrets come from files only."""

from functools import cached_property

from contracts.setting_values import KeyFile, ReadableFile
from contracts.settings import ServiceSettings
from kit.sealing import SigningKey, VerifyKey


class AuthSettings(ServiceSettings):
    """`other_keys_file`: public keys published beside the signing key, one a line.

    To rotate: publish the next key there, sign with it once every reader has it, and keep the last
    one there until its tokens have ended.
    """

    signing_key_file: KeyFile
    other_keys_file: ReadableFile | None = None

    @cached_property
    def signing_key(self) -> SigningKey:
        return SigningKey.from_file(self.signing_key_file)

    @cached_property
    def other_keys(self) -> list[VerifyKey]:
        if self.other_keys_file is None:
            return []
        return [VerifyKey.from_base64url(line) for line in self.other_keys_file.read_text().split()]
