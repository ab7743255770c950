"""Settings: what can be set, from where, and what is checked before anything starts.

The fields of `AnalyticsConfig` are the one table: `SETTINGS` is derived from them, and so is the
environment variable of each, `COPILOT_ANALYTICS_` and its name in capitals. An argument wins over
its variable, a variable over the default. Nothing else in this project reads the environment.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self, TypeVar

from .errors import ConfigurationError
from .events import ALL_METADATA_KEYS, ValueKind
from .spool.directories import SUPPORTED

__all__ = [
    "ERROR_TEXTS",
    "MIN_KEY_BYTES",
    "SETTINGS",
    "SPOOLS",
    "VARIABLE_PREFIX",
    "AnalyticsConfig",
    "Setting",
    "unknown_variables",
]

VARIABLE_PREFIX = "COPILOT_ANALYTICS_"
"""How the environment variables of all settings start."""

ERROR_TEXTS = ("normalised", "type_only")
"""What may be stored of an error's message: the message without personal data, or nothing."""

SPOOLS = ("auto", "on", "off")
"""When events wait on disk: for remote stores, always, never."""

MIN_KEY_BYTES = 32
"""A shorter `pseudonymise_key` could be guessed."""

_EXTRA_KINDS = (
    ValueKind.COUNT,
    ValueKind.DURATION,
    ValueKind.RATIO,
    ValueKind.AMOUNT,
    ValueKind.FLAG,
    ValueKind.LABEL,
    ValueKind.ID,
)
"""What an application's own metadata may be: nothing that could take a message's text."""

# Each part starts with a letter, so that the stored camelCase name leads back to this one.
_EXTRA_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z][a-z0-9]*)*", re.ASCII)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_SWITCH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_TABLE_VARIABLE = "ANALYTICS_TABLE_NAME"
"""Names a DynamoDB table, where no store is set."""

_NOT_OURS = ("COPILOT_ANALYTICS_TOKEN", "COPILOT_ANALYTICS_PAGE", "COPILOT_ANALYTICS_TEST_")
"""Variables that are no settings: the token of `serve` and `demo`, what the page's build and tests
are told."""

_log = logging.getLogger("copilot_analytics.config")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, for documentation and for reading the environment.

    Attributes:
        name: the field of `AnalyticsConfig`.
        default: its value when nothing is set.
        meaning: what it does, with the unit.
        secret: whether its value is kept out of every text.
    """

    name: str
    default: object
    meaning: str
    secret: bool
    _parse: Callable[[str], object] = field(repr=False)
    _remedy: Callable[[Any], str | None] = field(repr=False)

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return VARIABLE_PREFIX + self.name.upper()

    def read(self, text: str) -> object:
        """Return the value of the variable's text.

        Raises:
            ConfigurationError: it cannot be used; the error names the variable.
        """
        try:
            value = self._parse(text.strip())
        except ValueError as exc:
            raise ConfigurationError(self.variable, self._shown(text), str(exc)) from None
        self.check(value, self.variable, text)
        return value

    def check(self, value: object, place: str | None = None, given: object = None) -> None:
        """Refuse a value that cannot be used.

        Args:
            value: the value.
            place: what the error calls the setting; its name by default.
            given: how the value was given, where that is not the value itself.

        Raises:
            ConfigurationError: it cannot be used.
        """
        remedy = self._remedy(value)
        if remedy is not None:
            shown = self._shown(value if given is None else given)
            raise ConfigurationError(place or self.name, shown, remedy)

    def _shown(self, value: object) -> object:
        return "(a secret)" if self.secret else value


def _setting(
    default: T,
    parse: Callable[[str], object],
    remedy: Callable[[Any], str | None],
    meaning: str,
    *,
    secret: bool = False,
) -> T:
    """Declare a field; typed as its default, as `dataclasses.field` is to a type checker."""
    metadata = {"default": default, "meaning": meaning, "parse": parse, "remedy": remedy}
    declared: Any = field(
        default_factory=lambda: default, repr=not secret, metadata=metadata | {"secret": secret}
    )
    result: T = declared
    return result


def _switch(text: str) -> bool:
    try:
        return _SWITCH[text.lower()]
    except KeyError:
        raise ValueError("use 1, true, yes or on, or 0, false, no or off") from None


def _is_switch(value: object) -> str | None:
    return None if isinstance(value, bool) else "use True or False"


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("use a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("use a number") from None


def _is_between(least: float, most: float, *, whole: bool) -> Callable[[Any], str | None]:
    remedy = f"use a {'whole number' if whole else 'number'} from {least} to {most}"

    def check(value: object) -> str | None:
        if isinstance(value, int if whole else (int, float)) and not isinstance(value, bool):
            return None if least <= value <= most else remedy
        return remedy

    return check


def _is_text(remedy: str) -> Callable[[Any], str | None]:
    return lambda value: None if isinstance(value, str) and value.strip() else remedy


def _is_error_text(value: object) -> str | None:
    return None if value in ERROR_TEXTS else f"use {' or '.join(ERROR_TEXTS)}"


def _is_key(value: object) -> str | None:
    if value is None:
        return None
    # What a variable holds need not be UTF-8, and has no bytes then.
    with contextlib.suppress(UnicodeEncodeError):
        if isinstance(value, str) and len(value.encode()) >= MIN_KEY_BYTES:
            return None
    return (
        f"use a secret text of at least {MIN_KEY_BYTES} bytes of UTF-8; "
        'python -c "import secrets; print(secrets.token_urlsafe(32))" makes one'
    )


def _is_header(value: object) -> str | None:
    if value is None or (isinstance(value, str) and _HEADER_NAME.fullmatch(value)):
        return None
    return "use the name of an HTTP header, such as X-User-Id"


def _spool(text: str) -> str:
    switch = _SWITCH.get(text.lower())
    return text.lower() if switch is None else ("on" if switch else "off")


def _is_spool(value: object) -> str | None:
    if value not in SPOOLS:
        return f"use {', '.join(SPOOLS[:-1])} or {SPOOLS[-1]}"
    if value == "on" and not SUPPORTED:
        return "use auto or off: this system does not have the file locks that a spool needs"
    return None


def _is_folder(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.strip()):
        return None
    return "give a directory, on a disk of this machine"


def _is_parameter(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.strip()):
        return None
    return "use the name of a query parameter, such as user_id"


def _is_cache(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.startswith(("redis://", "rediss://"))):
        return None
    return "use a URL such as redis://localhost:6379/0"


def _extra_keys(text: str) -> dict[str, str]:
    pairs = [item.partition(":") for item in text.split(",") if item.strip()]
    return {name.strip(): kind.strip() or ValueKind.LABEL.value for name, _, kind in pairs}


def _are_extra_keys(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return "map names to kinds of value"
    for name, kind in value.items():
        if not isinstance(name, str) or not _EXTRA_NAME.fullmatch(name) or len(name) > 64:
            return f"name {name!r} in snake_case, each part starting with a letter"
        if name in ALL_METADATA_KEYS:
            return f"choose another name than {name!r}, which is a documented key"
        if kind not in _EXTRA_KINDS:
            return f"give {name!r} one of the kinds {', '.join(_EXTRA_KINDS)}"
    return None


_NO_KEY: str | None = None
_NO_NAME: str | None = None
_NO_EXTRA_KEYS: Mapping[str, ValueKind] = {}


@dataclass(frozen=True, kw_only=True)
class AnalyticsConfig:
    """How analytics behaves; see `SETTINGS` for what each field means.

    Raises:
        ConfigurationError: a value cannot be used.
    """

    enabled: bool = _setting(
        True,
        _switch,
        _is_switch,
        "Whether anything is recorded; when off, plugins return the original application.",
    )
    store: str = _setting(
        "sqlite:///copilot-analytics.db",
        str,
        _is_text("give a store's URL, such as sqlite:///copilot-analytics.db"),
        "Where events and rollups are kept, as a URL.",
    )
    adapter: str = _setting(
        "omnitrack",
        str,
        _is_text("give the name of a frame adapter, such as omnitrack"),
        "The frame adapter: the wire protocol that the sockets speak.",
    )
    pseudonymise_key: str | None = _setting(
        _NO_KEY,
        str,
        _is_key,
        f"A secret of at least {MIN_KEY_BYTES} bytes: user ids are stored as keyed hashes.",
        secret=True,
    )
    error_text: str = _setting(
        "normalised",
        str.lower,
        _is_error_text,
        "What is stored of an error's message: normalised (without personal data as far as it can "
        "be recognised) or type_only (nothing).",
    )
    trust_client_identity: bool = _setting(
        False,
        _switch,
        _is_switch,
        "Whether user ids that the client's own frames claim are believed.",
    )
    identity_header: str | None = _setting(
        _NO_NAME,
        str,
        _is_header,
        "The HTTP header of the handshake that holds the user's id, set by a trusted proxy.",
    )
    identity_query: str | None = _setting(
        _NO_NAME,
        str,
        _is_parameter,
        "The query parameter of the handshake that holds the user's id.",
    )
    extra_keys: Mapping[str, ValueKind] = _setting(
        _NO_EXTRA_KEYS,
        _extra_keys,
        _are_extra_keys,
        "The application's own metadata keys, accepted in every event: name:kind, name:kind, …, "
        f"with the kinds {', '.join(_EXTRA_KINDS)}; label without one.",
    )
    max_pending: int = _setting(
        100_000,
        _whole,
        _is_between(1, 10_000_000, whole=True),
        "How many events may wait in memory; more are dropped and counted.",
    )
    batch_size: int = _setting(
        5_000,
        _whole,
        _is_between(1, 100_000, whole=True),
        "How many events are written at once, at most.",
    )
    flush_interval: float = _setting(
        1.0,
        _number,
        _is_between(0.01, 3_600, whole=False),
        "How long events wait before they are written, in seconds, at most.",
    )
    spool: str = _setting(
        "auto",
        _spool,
        _is_spool,
        "Whether events wait on this machine's disk until the store has confirmed them: auto means "
        "for remote stores; on; off.",
    )
    spool_dir: str | None = _setting(
        _NO_NAME,
        str,
        _is_folder,
        "Where the spools lie, a folder for each store; by default in "
        "`$XDG_STATE_HOME/copilot-analytics/spool`, else in `~/.local/state`.",
    )
    spool_max_bytes: int = _setting(
        256 << 20,
        _whole,
        _is_between(1 << 20, 1 << 40, whole=True),
        "How many bytes one process may spool; beyond, events wait in memory.",
    )
    write_interval: float = _setting(
        5.0,
        _number,
        _is_between(0.01, 3_600, whole=False),
        "How long spooled events wait before they are written to the store, in seconds, at most.",
    )
    event_retention_days: int = _setting(
        90,
        _whole,
        _is_between(1, 36_500, whole=True),
        "How many days events are kept.",
    )
    rollup_retention_days: int = _setting(
        800,
        _whole,
        _is_between(1, 36_500, whole=True),
        "How many days rollups are kept: 400 that can be compared with the 400 before them.",
    )
    cache_url: str | None = _setting(
        _NO_NAME,
        str,
        _is_cache,
        "A Redis through which processes that answer over one store share answers: "
        "redis://[user:password@]host[:port][/database], rediss:// for TLS.",
        secret=True,
    )
    strict: bool = _setting(
        False,
        _switch,
        _is_switch,
        "Whether failures of analytics are raised instead of counted; for tests.",
    )

    def __post_init__(self) -> None:
        for setting in SETTINGS:
            setting.check(getattr(self, setting.name))
        if self.rollup_retention_days < self.event_retention_days:
            raise ConfigurationError(
                f"rollup_retention_days ({VARIABLE_PREFIX}ROLLUP_RETENTION_DAYS)",
                self.rollup_retention_days,
                "rollups have to outlive events, which are kept for "
                f"{self.event_retention_days} days (event_retention_days)",
            )
        kinds = {name: ValueKind(kind) for name, kind in self.extra_keys.items()}
        object.__setattr__(self, "extra_keys", kinds)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, /, **overrides: object) -> Self:
        """Return the settings of the environment.

        A variable that is empty counts as not set. Without a store, `ANALYTICS_TABLE_NAME` names a
        DynamoDB table. Variables that start like ours and are none are named in one warning.

        Args:
            environ: the variables; the process's own by default.
            overrides: settings by name, which win over their variables.

        Raises:
            ConfigurationError: a value cannot be used; the error names the variable.
        """
        variables = os.environ if environ is None else environ
        values: dict[str, Any] = {
            setting.name: setting.read(variables[setting.variable])
            for setting in SETTINGS
            if setting.name not in overrides and variables.get(setting.variable, "").strip()
        }
        _warn_of_unknown(variables)
        values.update(overrides)
        table = variables.get(_TABLE_VARIABLE, "").strip()
        if table and "store" not in values:
            values["store"] = f"dynamodb://{table}"
        return cls(**values)

    @property
    def spool_folder(self) -> Path | None:
        """Where the spools lie; None if that is not set and this process has no home."""
        if self.spool_dir is not None:
            return Path(self.spool_dir).expanduser().absolute()
        try:
            state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        except RuntimeError:
            return None
        return Path(state) / "copilot-analytics" / "spool"


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(
        name=declared.name,
        default=declared.metadata["default"],
        meaning=declared.metadata["meaning"],
        secret=declared.metadata["secret"],
        _parse=declared.metadata["parse"],
        _remedy=declared.metadata["remedy"],
    )
    for declared in fields(AnalyticsConfig)
)
"""Every setting, in the order of the fields."""


def unknown_variables(environ: Mapping[str, str] | None = None, /) -> list[str]:
    """Return the variables that start like ours and are none, with what may have been meant.

    Args:
        environ: the variables; the process's own by default.
    """
    known = {setting.name.upper(): setting.variable for setting in SETTINGS}
    unknown = []
    for variable in sorted(os.environ if environ is None else environ):
        name = variable.removeprefix(VARIABLE_PREFIX)
        if name == variable or name in known or variable.startswith(_NOT_OURS):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        unknown.append(f"{variable} (did you mean {known[close[0]]}?)" if close else variable)
    return unknown


def _warn_of_unknown(variables: Mapping[str, str]) -> None:
    unknown = unknown_variables(variables)
    if unknown:
        _log.warning("ignoring variables that are no settings: %s", ", ".join(unknown))
