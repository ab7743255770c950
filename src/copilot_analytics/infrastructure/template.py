"""The CloudFormation template of table, policy and alarms: the text of `template.yaml`."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["template"]


def template() -> str:
    """Return the template's text, YAML."""
    return (files("copilot_analytics.infrastructure") / "template.yaml").read_text(encoding="utf-8")
