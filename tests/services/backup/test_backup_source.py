"""The source of a full: the right database, held at one moment, with a lease that goes back."""

import pytest

from services.backup.copy.moment import held
from services.backup.failures import FailureReason, RunFailed
from tests.services.backup.running_backup import Workshop


async def test_another_tenants_database_is_not_backed_up(workshop: Workshop) -> None:
    """The tenants service has mixed two up: the identity row inside says so."""
    one, other = await workshop.peer.add(1), await workshop.peer.add(1)
    databases = workshop.peer.databases
    databases[one], databases[other] = databases[other], databases[one]
    try:
        with pytest.raises(RunFailed) as failed:
            async with held(workshop.tenants, one):
                pass
    finally:
        databases[one], databases[other] = databases[other], databases[one]
    assert failed.value.reason is FailureReason.SOURCE_REFUSED
    assert workshop.peer.leases == {}


async def test_a_lease_goes_back_however_the_work_ends(workshop: Workshop) -> None:
    tenant = await workshop.peer.add(1)

    async def work() -> None:
        async with held(workshop.tenants, tenant) as (lease, _):
            assert list(workshop.peer.leases) == [lease.lease]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert workshop.peer.leases == {}


async def test_everything_that_is_read_shows_the_moment_and_nothing_later(
    workshop: Workshop,
) -> None:
    tenant = await workshop.peer.add(3)
    async with held(workshop.tenants, tenant) as (_, moment):
        await workshop.peer.run(tenant, "DELETE FROM record")
        row = await moment.rows.fetchrow("SELECT count(*) FROM record")
        assert row[0] == 3
    assert await workshop.peer.run(tenant, "SELECT count(*) FROM record") == 0
