"""Revocation lists are asked for once by many, renewed, and kept as long as they say."""

import asyncio
from datetime import timedelta

import pytest

from contracts.ids import TenantId, new_id
from kit import clock
from services.sync.egress import (
    CertificateRevoked,
    RevocationUnknown,
)
from tests.eventually import eventually
from tests.services.sync.public_authority import HOUR
from tests.services.sync.revocable import revocable


async def test_many_callers_wait_for_one_fetch_and_none_takes_it_from_the_others() -> None:
    async with revocable() as one:
        one.lists.hold.clear()
        calls = [asyncio.create_task(one.fetch(tenant=TenantId(new_id()))) for _ in range(6)]
        await eventually(lambda: len(one.lists.requests) == 2)
        calls[0].cancel()
        one.lists.hold.set()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(ends[0], asyncio.CancelledError)
        assert [getattr(end, "body", end) for end in ends[1:]] == [b"ok"] * 5
        assert len(one.lists.requests) == 2


async def test_a_list_goes_on_to_its_own_end_where_it_cannot_be_renewed() -> None:
    async with revocable(renew_s=0.0, pause_s=900.0) as one:
        await one.fetch()
        one.lists.answers.clear()
        for _ in range(3):
            assert (await one.fetch()).body == b"ok"
        assert len(one.lists.requests) == 4  # two and two; then its place is left alone


async def test_a_renewed_list_counts_and_an_older_one_never_again() -> None:
    async with revocable(renew_s=0.0, pause_s=0.0) as one:
        assert (await one.fetch()).body == b"ok"
        one.publish(one.leaf.serial, issued_at=clock.now() - HOUR / 2)
        with pytest.raises(CertificateRevoked):
            await one.fetch()
        one.publish(issued_at=clock.now() - HOUR)
        with pytest.raises(CertificateRevoked):
            await one.fetch()


async def test_a_list_that_has_ended_meanwhile_is_out_of_date() -> None:
    async with revocable() as one:
        lasts = timedelta(seconds=1)
        one.publish(issued_at=clock.now(), lasts=lasts)
        ends = clock.now() + lasts
        assert (await one.fetch()).body == b"ok"
        await eventually(lambda: clock.now() > ends)
        one.lists.answers.clear()
        with pytest.raises(RevocationUnknown, match="status 404"):
            await one.fetch()
