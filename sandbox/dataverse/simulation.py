"""All that one simulation knows, kept in a state directory so that a restart continues."""

import json
import secrets
import uuid
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography import x509

from sandbox.dataverse import schema
from sandbox.dataverse.altering import Alterations
from sandbox.dataverse.counting import Counters
from sandbox.dataverse.faults import Faults
from sandbox.dataverse.limits import Limits, Throttle
from sandbox.dataverse.organisation import Organisation, Switches
from sandbox.dataverse.recording import Recorder
from sandbox.dataverse.rows import Rows, Snapshot
from sandbox.dataverse.tokens import Secret, Tokens


class Simulation:
    """`audiences` are the addresses under which clients know the organisation."""

    def __init__(
        self,
        state: Path,
        audiences: Sequence[str],
        *,
        tables: schema.Schema | None = None,
        limits: Limits | None = None,
        switches: Switches | None = None,
    ) -> None:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._credentials_file = state / "credentials.json"
        self._credentials = self._load_credentials()
        self.recorder = Recorder(state / "requests.jsonl")
        self._first = (limits or Limits(), deepcopy(switches or Switches()))
        self.throttle = Throttle(self._first[0])
        self.counters = Counters()
        self.snapshots: list[Snapshot] = []
        self.late: list[Callable[[], Awaitable[object]]] = []  # calls whose clients have gone
        known = schema.Schema((tables or schema.load()).tables)  # its own: it may change
        rows = Rows(known, state / "rows.jsonl")
        self.organisation = Organisation(known, rows, switches or Switches(), Faults())
        key = bytes.fromhex(self._credentials["signing_key"])
        self.tokens = Tokens(key, self._credentials["directory"], audiences)
        self._load_applications()
        self.control_token = _control_token(state / "control-token")

    @property
    def directory(self) -> str:
        return self.tokens.directory

    @property
    def client_id(self) -> str:
        return next(iter(self.tokens.applications))

    @property
    def client_secret(self) -> str:
        return self.tokens.applications[self.client_id][-1].value

    @property
    def alterations(self) -> Alterations:
        return Alterations(self.organisation)

    def take_snapshot(self) -> int:
        """The number under which the rows, as they are now, can be had back."""
        self.snapshots.append(self.organisation.rows.snapshot())
        return len(self.snapshots)

    async def apply_late(self) -> int:
        """What came long ago is done now, in the order in which it came; how many calls."""
        calls, self.late = self.late, []
        for call in calls:
            await call()
        self.organisation.rows.flush()
        return len(calls)

    def restore(self, number: int) -> None:
        """The environment is restored: rows as they were, with the ids they had."""
        if not 1 <= number <= len(self.snapshots):
            raise ValueError(f"there is no snapshot {number}")
        self.organisation.rows.restore(self.snapshots[number - 1])

    def set_secrets(self, client_id: str, known: Sequence[Secret]) -> None:
        """Replaces the secrets of an application: this is how a secret is rotated or expires."""
        self.tokens.applications[client_id] = list(known)
        applications = self.tokens.applications.items()
        self._credentials["applications"] = {
            c: [asdict(s) for s in known] for c, known in applications
        }
        self._save_credentials()

    def set_certificates(self, client_id: str, pems: Sequence[str]) -> None:
        """Replaces the certificates of an application; raises ValueError where one is none."""
        self.tokens.certificates[client_id] = [
            x509.load_pem_x509_certificate(pem.encode()) for pem in pems
        ]
        self._credentials.setdefault("certificates", {})[client_id] = list(pems)
        self._save_credentials()

    def set_limits(self, limits: Limits) -> None:
        self.throttle = Throttle(limits)

    def reset(self) -> None:
        """No rows, recorded requests or faults; limits and switches as at the start."""
        self.organisation.rows.clear()
        self.organisation.faults.clear()
        self.organisation.schema.reset()
        self.recorder.clear()
        self.counters.clear()
        self.snapshots.clear()
        self.late.clear()
        limits, switches = self._first
        self.set_limits(limits)
        self.organisation.switches.__dict__.update(deepcopy(switches.__dict__))

    def close(self) -> None:
        self.organisation.rows.close()
        self.recorder.close()

    def _load_credentials(self) -> dict[str, Any]:
        if self._credentials_file.exists():
            loaded: dict[str, Any] = json.loads(self._credentials_file.read_text("utf-8"))
            return loaded
        return {
            "directory": str(uuid.uuid4()),
            "signing_key": secrets.token_hex(32),
            "applications": {str(uuid.uuid4()): [{"value": secrets.token_urlsafe(30)}]},
        }

    def _load_applications(self) -> None:
        for client_id, known in self._credentials["applications"].items():
            self.tokens.applications[client_id] = [Secret(**secret) for secret in known]
        for client_id, pems in self._credentials.get("certificates", {}).items():
            self.set_certificates(client_id, pems)
        self._save_credentials()

    def _save_credentials(self) -> None:
        self._credentials_file.touch(mode=0o600)
        self._credentials_file.write_text(json.dumps(self._credentials, indent=2), "utf-8")


def _control_token(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(30), "utf-8")
    return path.read_text("utf-8")
