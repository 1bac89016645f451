"""Settings of sync; none of them reaches the egress guard: its rules are code on purpose."""

from functools import cached_property
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from contracts.setting_values import KeyFile, Texts
from contracts.settings import ServiceSettings
from kit.sealing import Kek, SigningKey


def _addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            ip_network(text)
        except ValueError:
            raise ValueError("holds something that is no address and no range") from None
    return texts


class SyncSettings(ServiceSettings):
    """`egress_addresses` is what customers put into their CRM's firewall; published as it is.

    No tenant holds more than half of the `workers`, and a push at most `push_s` in one go. Pushes
    that last longer than `quick_s` hold at most half of the workers, whoever they belong to.
    A call may be carried out for `doubt_s` after it was planned: as long as a push and the longest
    work of a CRM together.
    """

    kek_file: KeyFile
    egress_addresses: Annotated[Texts, AfterValidator(_addresses)] = ()
    sweep_s: float = Field(default=30.0, gt=0)
    settle_s: float = Field(default=0.2, ge=0)
    page_rows: int = Field(default=500, ge=1, le=5000)
    batch_rows: int = Field(default=50, ge=1, le=1000)
    batch_rows_most: int = Field(default=1000, ge=1, le=1000)
    workers: int = Field(default=8, ge=1, le=64)
    parallel_batches: int = Field(default=4, ge=1, le=16)
    push_s: float = Field(default=600.0, gt=0)
    quick_s: float = Field(default=5.0, gt=0)
    connections_most: int = Field(default=20, ge=1)
    ledger_keep_days: int = Field(default=400, ge=1)
    doubt_s: float = Field(default=1200.0, gt=0)
    max_attempts: int = Field(default=8, ge=1)
    backoff_s: float = Field(default=1.0, gt=0)

    @cached_property
    def kek(self) -> Kek:
        return Kek.from_file(self.kek_file)

    @cached_property
    def identity_key(self) -> SigningKey:
        return SigningKey.from_file(self.identity_key_file)
