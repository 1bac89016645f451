"""Whether spans are recorded: by OpenTelemetry's own environment variables, and off by default."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from kit.telemetry.spans import record_with

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SECRETS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_EXPORTER, _DISABLED = "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"


def wants_traces(environment: Mapping[str, str]) -> bool:
    """On where the exporter is said to be `otlp`, or an endpoint is given and nothing else is said.

    Raises ValueError for what would not do what it says. No value is shown: one may be a secret.
    """
    exporter = environment.get(_EXPORTER, "")
    endpoints = [environment[name] for name in _ENDPOINTS if environment.get(name)]
    if environment.get(_DISABLED, "").lower() == "true" or exporter == "none":
        return False
    if exporter not in ("", "otlp"):
        raise ValueError(f"{_EXPORTER} is neither otlp nor none")
    if not exporter and not endpoints:
        return False
    for name in _PROTOCOLS:
        if environment.get(name, "http/protobuf") not in ("", "http/protobuf"):
            raise ValueError(f"{name} is not http/protobuf")
    for name in _SECRETS:
        if environment.get(name):
            raise ValueError(f"{name} is refused: a secret does not belong into an environment")
    if not all(map(_is_address, endpoints)):
        raise ValueError(
            "the endpoint for OTLP is no http(s) address without a user and a password"
        )
    return True


def start(service: str, version: str) -> Callable[[], None]:
    """Record spans as the environment says; what it returns ends that, within seconds."""
    from kit.telemetry.exporting import Exporting  # costs nothing where it is off

    exporting = Exporting(service, version)
    record_with(exporting)

    def stop() -> None:
        record_with(None)
        exporting.close()

    return stop


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        )
    except ValueError:
        return False
