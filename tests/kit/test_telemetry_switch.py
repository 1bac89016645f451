"""Spans are recorded only where OpenTelemetry's own variables say so; what cannot be is refused."""

import pytest

from kit.telemetry import wants_traces

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_TRACES_EXPORTER": "none", **ENDPOINT},
        {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"},
        {"OTEL_SDK_DISABLED": "TRUE", **ENDPOINT},
        {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_SERVICE_NAME": "x"},
    ],
)
def test_off_unless_something_is_said(environment: dict[str, str]) -> None:
    assert not wants_traces(environment)


@pytest.mark.parametrize(
    "environment",
    [
        ENDPOINT,
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/v1/traces"},
        {"OTEL_TRACES_EXPORTER": "otlp"},
        {"OTEL_SDK_DISABLED": "false", **ENDPOINT},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", **ENDPOINT},
        {"OTEL_EXPORTER_OTLP_HEADERS": "", **ENDPOINT},
    ],
)
def test_on_where_it_is_said(environment: dict[str, str]) -> None:
    assert wants_traces(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=hunter2"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_its_value_is_not_shown(
    name: str, value: str
) -> None:
    with pytest.raises(ValueError) as refusal:
        wants_traces({**ENDPOINT, name: value})
    assert name in str(refusal.value)
    assert value not in str(refusal.value)


@pytest.mark.parametrize(
    "address", ["collector:4318", "grpc://collector", "http://", "http://a:hunter2@c/", "http://[x"]
)
def test_an_endpoint_is_an_http_address_without_a_password(address: str) -> None:
    with pytest.raises(ValueError) as refusal:
        wants_traces({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": address})
    assert "hunter2" not in str(refusal.value)
