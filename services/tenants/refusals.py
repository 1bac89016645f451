"""Turns faults into the problem that the caller sees; payment data has a problem of its own."""

from collections.abc import Sequence
from typing import Any, NoReturn

from kit.problems import RequestInvalid
from services.tenants.fields import Fault
from services.tenants.problems import PaymentDataRefused
from services.tenants.rows import MAX_REPORTED, RowFault


def refuse(faults: Sequence[Fault]) -> NoReturn:
    """Refuse a request whose body or query has these faults."""
    payment = [fault for fault in faults if fault.is_payment_data]
    if payment:
        raise PaymentDataRefused(payment[0].message, pointer=payment[0].pointer)
    raise RequestInvalid.of(
        [{"pointer": fault.pointer, "message": fault.message} for fault in faults]
    )


def refuse_rows(faults: Sequence[RowFault]) -> NoReturn:
    """Refuse a whole batch because of these rows."""
    errors, detail = reported(faults), "nothing was written"
    payment = [fault for fault in faults if fault.is_payment_data]
    if payment:
        raise PaymentDataRefused.of(errors, detail, pointer=payment[0].pointer)
    raise RequestInvalid.of(errors, detail)


def reported(faults: Sequence[RowFault]) -> list[dict[str, Any]]:
    """The first faults by line, a thousand at most."""
    return [fault.as_json() for fault in sorted(faults)[:MAX_REPORTED]]
