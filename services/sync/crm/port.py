"""What sync asks of a CRM, whatever kind it is of; whoever sends, looks or registers knows no more.

A kind is a package beside this file with an address, the bodies of the API in which it stands, and
a `CrmKind`; `kinds.py` names it. It calls nobody but through the egress guard that it is given.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from contracts.schema import Strict
from services.sync.connection import Connection, ModuleMapping
from services.sync.credential import Credentials
from services.sync.crm.verdict import RowForm, Verdict
from services.sync.egress import AddressRefused, origin
from services.sync.problems import CrmAddressRefused
from services.sync.revocation import Unlisted


class StoredAddress(Strict):
    """Where a CRM is, as it is given, stored and shown; a kind adds what it needs, and its name."""

    kind: str

    @property
    @abstractmethod
    def hosts(self) -> frozenset[str]:
        """All that is ever called on behalf of a connection."""

    @property
    @abstractmethod
    def unlisted(self) -> Unlisted:
        """Whether calls are refused where no revocation list can be had; each kind decides."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Which CRM this is: equal for two addresses of one."""

    @abstractmethod
    def checked(self) -> Self:
        """With addresses that the guard lets out, in one form; raises CrmAddressRefused."""


@dataclass(frozen=True)
class RowWrite:
    """One row: `values` are columns of theirs.

    A `new` row is addressed by its key, whether it is there or not, and its values are all that is
    known; every other is the one with `crm_id`, and none is made where that is gone. The key column
    stands in the values of a known row alone, where the key has changed. `revives` what was
    deactivated.
    """

    form: RowForm
    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    crm_id: str = ""
    revives: bool = False


@dataclass(frozen=True)
class Sent:
    """What became of a batch: `whole` where one verdict holds for all rows, else one each."""

    rows: Sequence[Verdict] = ()
    whole: Verdict | None = None
    parallel_hint: int | None = None


@dataclass(frozen=True)
class ProbeStep:
    """One thing that was looked at; `reason` is empty where it is well, `note` is what to know."""

    step: str
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class Probe:
    """The steps in order; the probe ends at the first one that fails."""

    steps: tuple[ProbeStep, ...]

    @property
    def failed(self) -> ProbeStep | None:
        return next((step for step in self.steps if step.reason), None)


@dataclass(frozen=True)
class Converted:
    """A row as the CRM takes it, or why it does not: `problem` names column and rule, no value."""

    values: Mapping[str, Any]
    problem: str = ""
    column: str = ""


class Target(Protocol):
    """A module's table as the CRM describes it now."""

    @property
    def fingerprint(self) -> str:
        """Another one when what matters of the description has changed."""

    @property
    def described(self) -> Mapping[str, Any]:
        """What matters of the description, in JSON, to be compared one day."""

    @property
    def faults(self) -> Sequence[str]:
        """Why the mapping cannot work at all, the first thing first."""

    def key_problem(self, key: str) -> str | None:
        """Why no row could be addressed by this key, or None."""

    def same_key(self, key: str) -> str:
        """Two keys are those of one row in the CRM where this is equal."""

    def convert(self, values: Mapping[str, Any]) -> Converted:
        """Values of ours by column, as the columns take them; runs for every row."""

    def members(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Converted values under the names that a row is written with: not always the columns'."""

    def changes_since(self, described: Mapping[str, Any]) -> Sequence[str]:
        """What has changed since a description, in words."""


class Crm(Protocol):
    """A CRM as one connection sees it."""

    async def target(self, mapping: ModuleMapping) -> Target | Verdict:
        """What a module goes into, as it was described within the last minutes; a Verdict where
        the CRM does not tell, or has no such table."""

    def forget_targets(self) -> None:
        """Have everything described again."""

    def key_problem(self, key: str) -> str | None:
        """Why no row could be addressed by this key, or None."""

    def same_key(self, key: str) -> str:
        """The key in a form that is equal for all keys that the CRM takes for the same one."""

    async def refusal(self) -> Verdict | None:
        """Why nothing can be sent; None where batches can be sent at once."""

    async def write(self, mapping: ModuleMapping, rows: Sequence[RowWrite]) -> Sent:
        """Send the rows, at most one per key; never raises for what the CRM or the network does.

        A row that was sent already is written over with the same values. An accepted one has its
        `crm_id` in the verdict.
        """

    async def find(
        self, mapping: ModuleMapping, keys: Sequence[str]
    ) -> Mapping[str, str] | Verdict:
        """The CRM's ids of the rows with these keys, by `same_key`; a Verdict where none tells."""

    async def keys_of(
        self, mapping: ModuleMapping, crm_ids: Sequence[str]
    ) -> Mapping[str, str] | Verdict:
        """The keys that these rows have now, by id and as `same_key`: empty where a row has none; a
        row that is not there is left out. A Verdict where the CRM does not tell."""

    async def examine(self, mapping: ModuleMapping) -> Verdict | None:
        """Why no row of this mapping can be accepted, by what the CRM says of its table; or None.

        BROKEN for a fault of the mapping, BACK_OFF where the CRM does not tell.
        """

    async def probe(self) -> Probe:
        """Look at everything a push will need; sends no record data."""


class CrmKind(Protocol):
    """All connections of one kind in this process, and what they share."""

    def same_key(self, key: str) -> str:
        """As of every CRM of the kind."""

    def open(self, connection: Connection, credentials: Credentials) -> Crm: ...

    def open_afresh(self, connection: Connection, credentials: Credentials) -> Crm:
        """With nothing that another use has left: the credentials are put to the proof."""


def canonical(url: str, pointer: str) -> str:
    """The address as the guard understands it; CrmAddressRefused, naming the member of the body."""
    try:
        return f"https://{origin(url)}"
    except AddressRefused as refused:
        raise CrmAddressRefused(refused.reason, pointer=pointer) from None
