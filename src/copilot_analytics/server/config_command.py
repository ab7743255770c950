"""`copilot-analytics config`: every setting, where it comes from and what it is."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import SETTINGS, AnalyticsConfig, Setting
from .options import JSONOption, StoreOption, settings
from .telling import console, plain, table, tell_json

__all__ = ["show_config"]

_SECRET = "(a secret)"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A setting as it is shown; of a secret only whether it is set."""

    name: str
    variable: str
    default: object
    value: object
    is_default: bool
    meaning: str


def show_config(store: StoreOption = None, as_json: JSONOption = False) -> None:
    """Show every setting: variable, value, default and meaning."""
    config = settings(store)
    shown = [_shown(setting, config) for setting in SETTINGS]
    if as_json:
        tell_json({"settings": shown})
        return
    out = console()
    rows = table(out, "Variable", "Value", "Default", "Meaning")
    for one in shown:
        value = "(default)" if one.is_default else _text(one.value)
        rows.add_row(one.variable, plain(value), plain(_text(one.default)), plain(one.meaning))
    out.print(rows)


def _shown(setting: Setting, config: AnalyticsConfig) -> _Shown:
    value = getattr(config, setting.name)
    is_default = value == setting.default
    return _Shown(
        setting.name,
        setting.variable,
        setting.default,
        _SECRET if setting.secret and not is_default else value,
        is_default,
        setting.meaning,
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return ", ".join(f"{name}:{kind}" for name, kind in value.items()) or "none"
    return "none" if value is None else str(value)
