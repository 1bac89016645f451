"""Turns faults into the problem that the caller sees; payment data has a problem of its own."""

from collections.abc import Sequence
from typing import NoReturn

from kit.problems import RequestInvalid
from services.tenants.problems import PaymentDataRefused
from services.tenants.records.fields import Fault


def refuse(faults: Sequence[Fault]) -> NoReturn:
    """Refuse a request whose body or query has these faults."""
    payment = [fault for fault in faults if fault.is_payment_data]
    if payment:
        raise PaymentDataRefused(payment[0].message, pointer=payment[0].pointer)
    raise RequestInvalid.of(
        [{"pointer": fault.pointer, "message": fault.message} for fault in faults]
    )
