"""The OpenAPI document says what the endpoints do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from copilot_analytics_graphql.rest import openapi_document
from copilot_analytics_graphql.rest.operations import OPERATIONS
from copilot_analytics_graphql.rest.parameters import Parameter

DOCUMENT = openapi_document("/analytics")


def test_document_is_valid_openapi() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"


def test_served_document_is_this_one(story: Any) -> None:
    response = story.get("/openapi.json", token=story.endpoint.ada)

    assert response.json() == json.loads(json.dumps(DOCUMENT))
    again = story.get("/openapi.json", if_none_match=response.headers["etag"])
    assert again.status_code == 304


def test_document_has_every_path_of_the_original() -> None:
    assert set(DOCUMENT["paths"]) == {
        "/dashboard",
        "/commands/popular",
        "/commands/{commandName}",
        "/errors",
        "/users/{userId}",
        "/export",
    }


def test_parameters_of_paths_are_declared() -> None:
    for path, methods in DOCUMENT["paths"].items():
        parameters = methods["get"]["parameters"]
        named = {each["name"] for each in parameters if each["in"] == "path"}

        assert named == set(re.findall(r"{(\w+)}", path))
        assert all(each["required"] == (each["in"] == "path") for each in parameters)


def test_everything_is_described() -> None:
    for methods in DOCUMENT["paths"].values():
        operation = methods["get"]
        assert operation["summary"]
        assert all(each["description"] for each in operation["parameters"])
        assert all(each["description"] for each in operation["responses"].values())
    for schema in DOCUMENT["components"]["schemas"].values():
        assert schema["description"]


PARAMETERS = {
    (operation.name, parameter.name): parameter
    for operation in OPERATIONS
    for parameter in operation.parameters
}


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=map("-".join, PARAMETERS))
def test_examples_and_defaults_are_values(parameter: Parameter[Any]) -> None:
    assert parameter.read(parameter.example)
    assert str(parameter.shown) == parameter.example
    default = parameter.schema.get("default")
    if default is not None:
        assert parameter.read(str(default)) == parameter.default


def test_examples_of_answers_have_every_field(story: Any) -> None:
    """A document whose examples no client could read would be no help."""
    examples = {
        path: methods["get"]["responses"]["200"]["content"]["application/json"]
        for path, methods in DOCUMENT["paths"].items()
        if path != "/export"
    }
    asked = {"{commandName}": "add-supplier", "{userId}": "ada"}
    for path, content in examples.items():
        for name, value in asked.items():
            path = path.replace(name, value)
        schema = DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        fields = set(story.json(path))
        assert fields == set(content["example"]) == set(schema["required"])
