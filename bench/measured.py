"""What is measured of one way to send rows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """CPU in microseconds a row; `database_us` where the sender has one."""

    rows_s: float
    client_us: float
    crm_us: float
    calls: int
    database_us: float = 0.0
