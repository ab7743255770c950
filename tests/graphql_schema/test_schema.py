"""The schema's promises: committed, described, priced, guarded, and enough for the operations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import strawberry
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_introspection_query,
    parse,
    validate,
)

import copilot_analytics_graphql
from copilot_analytics_graphql.documents import prepare
from copilot_analytics_graphql.limits import Limits, Pricing
from copilot_analytics_graphql.permissions import require_rules
from copilot_analytics_graphql.prices import PRICES
from copilot_analytics_graphql.schema import core_schema

FOLDER = Path(__file__).resolve().parents[2] / "graphql_schema"
OPERATIONS = sorted((FOLDER / "operations").glob("*.graphql"))


def committed() -> GraphQLSchema:
    return build_schema((FOLDER / "schema.graphql").read_text())


def test_the_committed_schema_is_the_code_s() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "copilot_analytics_graphql.sdl"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert (FOLDER / "schema.graphql").read_text() == printed, "run `make sdl`"
    assert printed == f"{copilot_analytics_graphql.build_schema().as_str()}\n"


def test_everything_is_described() -> None:
    undescribed = []
    for name, kind in committed().type_map.items():
        if name.startswith("__") or name in ("String", "Int", "Float", "Boolean", "ID"):
            continue
        described = {name: kind.description}
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType):
            for field, definition in kind.fields.items():
                described[f"{name}.{field}"] = definition.description
                for argument, given in getattr(definition, "args", {}).items():
                    described[f"{name}.{field}({argument})"] = given.description
        if isinstance(kind, GraphQLEnumType):
            for value, meaning in kind.values.items():
                described[f"{name}.{value}"] = meaning.description
        undescribed += [path for path, text in described.items() if not text]

    assert undescribed == []


def test_times_and_rates_say_their_unit() -> None:
    for name, kind in committed().type_map.items():
        if not isinstance(kind, GraphQLObjectType) or name.startswith("__"):
            continue
        for field, definition in kind.fields.items():
            text = definition.description or ""
            if field.endswith("Ms"):
                assert "milliseconds" in text, f"{name}.{field}"
            if field.endswith("Rate"):
                assert "0..1" in text, f"{name}.{field}"


def test_null_means_what_the_field_says() -> None:
    schema = committed()
    for name, kind in schema.type_map.items():
        if not isinstance(kind, GraphQLObjectType) or name.startswith("__"):
            continue
        for field, definition in kind.fields.items():
            place, of = f"{name}.{field}", definition.type
            nullable = not isinstance(of, GraphQLNonNull)
            if kind in (schema.query_type, schema.mutation_type):
                # One that fails leaves the others.
                assert nullable, place
            elif nullable:
                assert not isinstance(of, GraphQLList), place
                assert "null" in (definition.description or "") + (kind.description or ""), place
            elif isinstance(of.of_type, GraphQLList) and place not in (
                "TimeSeries.values",
                "SeriesPart.values",
            ):
                assert isinstance(of.of_type.of_type, GraphQLNonNull), place


def test_every_list_has_a_price() -> None:
    lists = set()
    for name, kind in committed().type_map.items():
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__"):
            for field, definition in kind.fields.items():
                of = definition.type
                if isinstance(of, GraphQLNonNull):
                    of = of.of_type
                if isinstance(of, GraphQLList):
                    lists.add(f"{name}.{field}")

    assert lists == PRICES.sizes.keys()


def test_a_root_field_without_a_rule_fails_the_build() -> None:
    @strawberry.type
    class Root:
        @strawberry.field
        def open(self) -> int:
            return 1

    with pytest.raises(TypeError, match=r"Root\.open says nobody who may read it"):
        require_rules(Root)


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_operations_are_valid_and_within_the_limits(path: Path) -> None:
    text = path.read_text()
    assert validate(committed(), parse(text)) == []

    prepared = prepare(text, Limits())
    operation = prepared.operation(None)
    assert operation.name is not None
    assert operation.name.value == "".join(part.title() for part in path.stem.split("_"))
    variables = {"first": 100, "top": 20, "interval": "HOUR", "metric": "EVENTS"}
    Pricing(core_schema(), PRICES, prepared.document, 0).check(operation, variables, Limits())


def test_every_question_has_an_operation() -> None:
    asked = {
        field.name.value
        for path in OPERATIONS
        for field in prepare(path.read_text(), Limits()).operation(None).selection_set.selections
        if isinstance(field, FieldNode)
    }
    schema = committed()
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    assert schema.subscription_type is not None
    assert asked == {
        *schema.query_type.fields,
        *schema.mutation_type.fields,
        *schema.subscription_type.fields,
    }


def test_standard_introspection_is_within_the_limits() -> None:
    prepared = prepare(get_introspection_query(), Limits())

    assert prepared.errors == ()
    assert prepared.introspects
