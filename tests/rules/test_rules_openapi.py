"""The API document: all that the edge lets through, nothing internal, every reference resolves."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from ops import openapi
from ops.docs import pages


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return openapi.document()


def operations(api: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, entries in api["paths"].items():
        for method, operation in entries.items():
            yield path, method, operation


def test_the_committed_document_is_fresh():
    for path, text in pages().items():
        if path.name == "openapi.json":
            assert path.read_text() == text, "run `make docs`"
            return
    pytest.fail("the document is not among the generated pages")


def test_the_document_is_one_of_openapi_3_1(api):
    assert api["openapi"].startswith("3.1.")
    faults = [str(one.message) for one in OpenAPIV31SpecValidator(api).iter_errors()]
    assert not faults


def test_nothing_internal_is_described(api):
    assert all(
        path.startswith(("/t/{tenant}/v1/", "/v1/", "/.well-known/")) for path in api["paths"]
    )
    assert "internal" not in json.dumps(api["paths"])


def test_what_services_talk_about_among_themselves_is_not_described(api):
    assert {"LeaseView", "NewLease", "Swap", "TenantEntries"}.isdisjoint(
        api["components"]["schemas"]
    )


def test_every_public_operation_of_every_service_is_described(api, apps):
    described = {(path, method) for path, method, _ in operations(api)}
    for service, app in apps.items():
        for path, entries in app.openapi()["paths"].items():
            if openapi.is_public(path):
                assert {(path, method) for method in entries} <= described, service


def test_each_operation_has_a_name_of_its_own_and_says_who_may(api):
    names = [operation["operationId"] for _, _, operation in operations(api)]
    assert len(names) == len(set(names))
    for path, _, operation in operations(api):
        assert operation["x-permission"] in operation["description"] or not operation["security"], (
            path
        )
        assert operation["responses"].keys() >= {"4XX", "5XX"}, path


def test_each_parameter_of_a_path_is_described_and_must_be_given(api):
    for path, method, operation in operations(api):
        named = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "path"}
        assert set(named) == set(re.findall(r"\{(\w+)\}", path)), f"{method} {path}"
        assert all(one["required"] for one in named.values())


def test_each_operation_parameter_and_header_says_what_it_means(api):
    for path, _, operation in operations(api):
        assert len(operation["summary"]) > 5, path
        assert operation["tags"][0] in {one["name"] for one in api["tags"]}
        for parameter in operation.get("parameters", []):
            assert parameter["description"], f"{path} {parameter['name']}"
    for header in api["components"]["headers"].values():
        assert header["description"]


def test_every_refusal_is_the_one_problem_and_every_answer_names_its_request(api):
    problem = {"$ref": "#/components/responses/Problem"}
    for path, _, operation in operations(api):
        answers = dict(operation["responses"])
        assert (answers.pop("4XX"), answers.pop("5XX")) == (problem, problem), path
        assert answers, path
        for status, answer in answers.items():
            assert status.startswith("2"), path
            assert "x-request-id" in answer["headers"], path
            assert ("Location" in answer["headers"]) or status != "201", path
    assert json.dumps(api).count('"application/problem+json"') == 1


def test_a_change_names_the_version_that_it_is_based_on(api):
    for path, method, operation in operations(api):
        if path.endswith("/records/{module}/{record}") and method in {"patch", "delete"}:
            assert [one["name"] for one in operation["parameters"] if one["in"] == "header"] == [
                "If-Match"
            ]


def test_every_reference_resolves_and_every_schema_is_used(api):
    text = json.dumps(api)
    for target in set(re.findall(r'"#/([^"]+)"', text)):
        place: Any = api
        for part in target.split("/"):
            place = place[part]
    for name in api["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name
