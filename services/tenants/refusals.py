"""Turns faults into the problem that the caller sees; payment data has a problem of its own."""

from collections.abc import Sequence
from typing import Any, NoReturn

from kit.problems import Problem, RequestInvalid
from services.tenants.fields import Fault
from services.tenants.problems import PaymentDataRefused
from services.tenants.rows import MAX_FAULTS, RowFault


def refuse(faults: Sequence[Fault]) -> NoReturn:
    """Refuse a request whose body or query has these faults."""
    payment = [fault for fault in faults if fault.is_payment_data]
    if payment:
        raise PaymentDataRefused(payment[0].message, pointer=payment[0].pointer)
    raise RequestInvalid(
        errors=[{"pointer": fault.pointer, "message": fault.message} for fault in faults]
    )


def refuse_rows(faults: Sequence[RowFault]) -> NoReturn:
    """Refuse a whole batch because of these rows; `failed` counts them all."""
    kind: type[Problem] = RequestInvalid
    pointer = None
    payment = [fault for fault in faults if fault.is_payment_data]
    if payment:
        kind, pointer = PaymentDataRefused, payment[0].pointer
    lines = {fault.line for fault in faults}
    raise kind(
        "nothing was written", pointer=pointer, errors=reported(faults), failed_lines=len(lines)
    )


def reported(faults: Sequence[RowFault]) -> list[dict[str, Any]]:
    """The first thousand faults by line."""
    return [fault.as_json() for fault in sorted(faults)[:MAX_FAULTS]]
