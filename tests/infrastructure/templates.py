"""The CloudFormation template as data, with what its conditions and parameters default to."""

from __future__ import annotations

from typing import Any

import yaml

from copilot_analytics.infrastructure.template import template


def parsed() -> dict[str, Any]:
    """Return the shipped template; it is plain YAML, without CloudFormation's own tags."""
    read: dict[str, Any] = yaml.safe_load(template())
    return read


def resource(kind: str, name: str | None = None) -> dict[str, Any]:
    """Return the one resource of a type, or of those the named one."""
    found = {
        key: each
        for key, each in parsed()["Resources"].items()
        if each["Type"] == kind and name in {None, key}
    }
    (only,) = found.values()
    return dict(only)


def with_defaults(value: Any) -> Any:
    """Return a part of the template, in which parameters are what they default to."""
    parameters = parsed()["Parameters"]
    if isinstance(value, list):
        return [with_defaults(each) for each in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Ref": str(name)} if name in parameters:
            return parameters[name]["Default"]
        case {"Fn::Sub": str(text)}:
            for name, parameter in parameters.items():
                text = text.replace(f"${{{name}}}", str(parameter["Default"]))
            return text
        case _:
            return {key: with_defaults(each) for key, each in value.items()}
