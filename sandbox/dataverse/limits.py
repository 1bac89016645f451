"""Service protection: three limits per user and server, a Retry-After that grows; pure."""

import math
from collections import deque
from dataclasses import dataclass, field

from sandbox.dataverse.refusals import Refusal


@dataclass(frozen=True)
class Limits:
    """Dataverse's own numbers by default; scale them down to see a client meet them.

    `grace_s`: requests this soon after a refusal were already on their way and do not count as
    hammering.
    """

    window_s: float = 300
    requests: int = 6000
    execution_s: float = 1200
    concurrent: int = 52
    servers: int = 1
    longest_wait_s: int = 300
    grace_s: float = 0.25


@dataclass(frozen=True)
class EarlyRequest:
    """A request that came although the Retry-After it had been given had not ended."""

    at: float
    user: str
    server: int
    too_early_by_s: float


@dataclass
class _Window:
    """`told_at` and `wait_s` are the latest Retry-After; `cause` blocks all requests until then."""

    arrivals: deque[float] = field(default_factory=deque)
    executions: deque[tuple[float, float]] = field(default_factory=deque)
    running: int = 0
    told_at: float = 0.0
    wait_s: int = 0
    cause: tuple[str, str] | None = None


class Throttle:
    """Counts per (user, server). `enter` before each request, `leave` after it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.refused = 0
        self.early: list[EarlyRequest] = []
        self._windows: dict[tuple[str, int], _Window] = {}

    def enter(self, user: str, server: int, now: float) -> None:
        """Counts the request, or raises the 429 Refusal with its Retry-After."""
        window = self._windows.setdefault((user, server), _Window())
        self._forget_old(window, now)
        self._refuse_if_early(window, user, server, now)
        limits = self.limits
        if window.running >= limits.concurrent:
            text = f"Number of concurrent requests exceeded the limit of {limits.concurrent}."
            raise self._refusal(window, now, ("0x80072326", text), 1)
        if len(window.arrivals) >= limits.requests:
            window.cause = ("0x80072322", self._requests_text())
            until = window.arrivals[0] + limits.window_s
            raise self._refusal(window, now, window.cause, math.ceil(until - now))
        if sum(spent for _, spent in window.executions) >= limits.execution_s:
            window.cause = ("0x80072321", self._execution_text())
            until = window.executions[0][0] + limits.window_s
            raise self._refusal(window, now, window.cause, math.ceil(until - now))
        window.arrivals.append(now)
        window.running += 1

    def leave(self, user: str, server: int, started: float, now: float) -> None:
        window = self._windows[user, server]
        window.running -= 1
        window.executions.append((now, now - started))

    def remaining(self, user: str, server: int) -> tuple[int, int]:
        """Requests and execution milliseconds left in the window."""
        window = self._windows.setdefault((user, server), _Window())
        spent = sum(spent for _, spent in window.executions)
        left = max(0.0, self.limits.execution_s - spent)
        return max(0, self.limits.requests - len(window.arrivals)), int(left * 1000)

    def _forget_old(self, window: _Window, now: float) -> None:
        oldest = now - self.limits.window_s
        while window.arrivals and window.arrivals[0] <= oldest:
            window.arrivals.popleft()
        while window.executions and window.executions[0][0] <= oldest:
            window.executions.popleft()

    def _refuse_if_early(self, window: _Window, user: str, server: int, now: float) -> None:
        left = window.told_at + window.wait_s - now
        if left <= 0:
            window.wait_s, window.cause = 0, None
            return
        if now - window.told_at > self.limits.grace_s:
            self.early.append(EarlyRequest(now, user, server, left))
            if window.cause:
                raise self._refusal(window, now, window.cause, window.wait_s * 2)
        elif window.cause:
            raise self._reply(window.cause, math.ceil(left))

    def _refusal(self, window: _Window, now: float, cause: tuple[str, str], wait: int) -> Refusal:
        window.told_at, window.wait_s = now, max(1, min(wait, self.limits.longest_wait_s))
        return self._reply(cause, window.wait_s)

    def _reply(self, cause: tuple[str, str], wait: int) -> Refusal:
        self.refused += 1
        return Refusal(429, *cause, [("Retry-After", str(wait))])

    def _requests_text(self) -> str:
        return (
            f"Number of requests exceeded the limit of {self.limits.requests} over time window of "
            f"{self.limits.window_s:g} seconds."
        )

    def _execution_text(self) -> str:
        return (
            "Combined execution time of incoming requests exceeded limit of "
            f"{self.limits.execution_s * 1000:,.0f} milliseconds over time window of "
            f"{self.limits.window_s:g} seconds. Decrease number of concurrent requests or reduce "
            "the duration of requests and try again later."
        )
