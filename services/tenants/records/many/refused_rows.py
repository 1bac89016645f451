"""Rows with faults: the problem that refuses all rows, or the list of those that were left out."""

from collections.abc import Sequence
from typing import Any, NoReturn

from kit.problems import RequestInvalid
from services.tenants.problems import PaymentDataRefused
from services.tenants.records.many.batch import MAX_REPORTED, RowFault


def refuse(faults: Sequence[RowFault]) -> NoReturn:
    """Refuse a whole batch because of these rows."""
    errors, detail = reported(faults), "nothing was written"
    payment = [fault for fault in faults if fault.is_payment_data]
    if payment:
        raise PaymentDataRefused.of(errors, detail, pointer=payment[0].pointer)
    raise RequestInvalid.of(errors, detail)


def reported(faults: Sequence[RowFault]) -> list[dict[str, Any]]:
    """The first faults by line, a thousand at most."""
    return [fault.as_json() for fault in sorted(faults)[:MAX_REPORTED]]
