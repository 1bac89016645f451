"""Traces: one notion of where a story has come to, which logs, notices, calls and spans share.

Spans are made only where `start` was called (kit/telemetry/exporting.py, which alone knows
OpenTelemetry and is not even imported elsewhere); without it a trace is a number in the logs.
"""

from kit.telemetry.context import bind_trace, sampled_trace, trace_id, trace_parent
from kit.telemetry.spans import Span, UnnamedAttribute, quiet_trace, span, trace
from kit.telemetry.switch import start, wants_traces

__all__ = [
    "Span",
    "UnnamedAttribute",
    "bind_trace",
    "quiet_trace",
    "sampled_trace",
    "span",
    "start",
    "trace",
    "trace_id",
    "trace_parent",
    "wants_traces",
]
