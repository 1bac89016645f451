"""Looking at CRMs for tenants: few at once for each, so that one that hangs holds no request of
others, and each look has its end."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from contracts.ids import TenantId
from kit.problems import TooManyRequests
from services.sync.connection import Connection
from services.sync.credential import Credentials
from services.sync.crm import Meaning, Probe, ProbeStep, Verdict
from services.sync.environments import Environments
from services.sync.problems import CrmProbeFailed

_AT_ONCE = 4  # of one tenant
_LONGEST_S = 120.0
_TOO_LONG = "the CRM took too long to answer all questions"


def require(found: Probe) -> None:
    """CrmProbeFailed where something is not well."""
    if found.failed is not None:
        raise CrmProbeFailed(found.failed.reason, step=found.failed.step)


class Probes:
    """The looks under way."""

    def __init__(self, environments: Environments, *, longest_s: float = _LONGEST_S) -> None:
        self._environments, self._longest_s = environments, longest_s
        self._under_way: Counter[TenantId] = Counter()

    async def look(self, connection: Connection, credentials: Credentials) -> Probe:
        """Probe; raises TooManyRequests where as many of the tenant's have not ended yet."""
        crm = self._environments.for_probe(connection, credentials)
        try:
            async with self.turn(connection.tenant):
                return await crm.probe()
        except CrmProbeFailed as failed:
            return Probe((ProbeStep("time", failed.detail or ""),))

    async def sign_in(self, connection: Connection, credentials: Credentials) -> Verdict | None:
        """Why the CRM lets none of them in, or None; raises TooManyRequests as `look` does."""
        crm = self._environments.for_probe(connection, credentials)
        try:
            async with self.turn(connection.tenant):
                return await crm.refusal()
        except CrmProbeFailed as failed:
            return Verdict(Meaning.BACK_OFF, failed.detail or "")

    @contextlib.asynccontextmanager
    async def turn(self, tenant: TenantId) -> AsyncIterator[None]:
        """The right to ask a CRM for a while; CrmProbeFailed at its end."""
        if self._under_way[tenant] >= _AT_ONCE:
            raise TooManyRequests("as many CRMs as allowed are being looked at for this tenant")
        self._under_way[tenant] += 1
        try:
            async with asyncio.timeout(self._longest_s):
                yield
        except TimeoutError:
            raise CrmProbeFailed(_TOO_LONG, step="time") from None
        finally:
            self._under_way[tenant] -= 1
            self._under_way += Counter()  # forgets whoever has none
