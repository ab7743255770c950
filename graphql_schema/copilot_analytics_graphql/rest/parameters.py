"""A request's parameters: one declaration each, which reads values and describes them to OpenAPI.

A value is refused exactly when the schema that clients are shown refuses it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import parse_qsl

from copilot_analytics.errors import QuestionError
from copilot_analytics.periods import DAY_MS, parse_day
from copilot_analytics.queries import MAX_LIMIT

from .problems import ProblemError

__all__ = [
    "Choice",
    "Count",
    "Day",
    "Flag",
    "Moment",
    "Parameter",
    "PathText",
    "Text",
    "read_query",
]

_T = TypeVar("_T")

MAX_QUERY_BYTES = 8 * 1024
_MAX_PARAMETERS = 16
_MAX_SHOWN = 80

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,15})", re.ASCII)
_LAST_MS = 253_402_300_799_999
"""The last millisecond that has a date, of the year 9999."""


@dataclass(frozen=True)
class Parameter(Generic[_T]):
    """A parameter of a request; subclasses say which values it has.

    Attributes:
        name: as clients write it.
        description: what it means, in Markdown.
        example: a value, as it is written in a URL.
        default: what holds without it.
    """

    name: str
    description: str
    example: str
    default: _T

    place: Literal["query", "path"] = "query"

    @property
    def schema(self) -> Mapping[str, Any]:
        """Its JSON Schema."""
        raise NotImplementedError

    @property
    def shown(self) -> object:
        """The example as its schema has it."""
        return self.example

    def read(self, text: str) -> _T:
        """Return the value of a text.

        Raises:
            ValueError: it is none; says what to give instead.
        """
        raise NotImplementedError

    def value(self, given: Mapping[str, str]) -> _T:
        """Return what was given, or the default.

        Raises:
            ProblemError: what was given is no value of it.
        """
        text = given.get(self.name)
        if text is None:
            return self.default
        try:
            return self.read(text)
        except ValueError as exc:
            shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
            raise ProblemError(
                400,
                "BAD_USER_INPUT",
                f"{self.name} cannot be {shown!r}: {exc}.",
                parameter=self.name,
            ) from None


class Day(Parameter[dt.date | None]):
    """A day, UTC."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """A date."""
        return {"type": "string", "format": "date"}

    def read(self, text: str) -> dt.date:
        """Return the day."""
        try:
            return parse_day(self.name, text)
        except QuestionError as exc:
            raise ValueError(exc.remedy) from None


class Moment(Parameter[dt.date | None]):
    """A moment in epoch milliseconds, which stands for its day, or that day itself; UTC."""

    @property
    def shown(self) -> int:
        """The example as its schema has it."""
        return int(self.example)

    @property
    def schema(self) -> Mapping[str, Any]:
        """A date, or an integer."""
        return {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": _LAST_MS},
                {"type": "string", "format": "date"},
            ]
        }

    def read(self, text: str) -> dt.date:
        """Return the day."""
        remedy = "give milliseconds since 1970, or a date as YYYY-MM-DD, in UTC"
        if _INTEGER.fullmatch(text):
            moment = int(text)
            if not 0 <= moment <= _LAST_MS:
                raise ValueError(remedy)
            return dt.date(1970, 1, 1) + dt.timedelta(days=moment // DAY_MS)
        try:
            return parse_day(self.name, text)
        except QuestionError:
            raise ValueError(remedy) from None


class Count(Parameter[int]):
    """How many rows, 1..1000."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """An integer within its bounds."""
        return {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": self.default}

    @property
    def shown(self) -> int:
        """The example as its schema has it."""
        return int(self.example)

    def read(self, text: str) -> int:
        """Return the number."""
        if not _INTEGER.fullmatch(text) or not 1 <= int(text) <= MAX_LIMIT:
            raise ValueError(f"give a whole number from 1 to {MAX_LIMIT}")
        return int(text)


class Text(Parameter[str | None]):
    """A text; an empty one is none."""

    MAX_CHARACTERS = 256

    @property
    def schema(self) -> Mapping[str, Any]:
        """A text within its bound."""
        return {"type": "string", "maxLength": self.MAX_CHARACTERS}

    def read(self, text: str) -> str | None:
        """Return the text."""
        if len(text) > self.MAX_CHARACTERS:
            raise ValueError(f"give at most {self.MAX_CHARACTERS} characters")
        return text or None


class PathText(Parameter[str]):
    """A name in the path, which may have slashes; required."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """A text that is not empty."""
        return {"type": "string", "minLength": 1}

    def read(self, text: str) -> str:
        """Return the name."""
        if not text:
            raise ValueError("put a name at the end of the path")
        return text


class Flag(Parameter[bool]):
    """Yes or no."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """A boolean."""
        return {"type": "boolean", "default": self.default}

    @property
    def shown(self) -> bool:
        """The example as its schema has it."""
        return self.read(self.example)

    def read(self, text: str) -> bool:
        """Return it."""
        if text not in ("true", "false"):
            raise ValueError("give true or false")
        return text == "true"


@dataclass(frozen=True)
class Choice(Parameter[_T]):
    """One of some values.

    Attributes:
        choices: the values by the texts that stand for them.
    """

    choices: Mapping[str, _T] = None  # type: ignore[assignment]

    @property
    def schema(self) -> Mapping[str, Any]:
        """The texts, and which one is the default."""
        names = {value: name for name, value in self.choices.items()}
        default = {} if self.default is None else {"default": names[self.default]}
        return {"type": "string", "enum": list(self.choices), **default}

    def read(self, text: str) -> _T:
        """Return the value."""
        if text not in self.choices:
            raise ValueError(f"give one of {', '.join(self.choices)}")
        return self.choices[text]


def read_query(query_string: bytes, known: Iterable[str]) -> Mapping[str, str]:
    """Return the parameters of a URL, each at most once and none that is not known.

    Raises:
        ProblemError: they are none.
    """
    if not query_string:
        return {}
    if len(query_string) > MAX_QUERY_BYTES:
        raise ProblemError(400, "BAD_USER_INPUT", "The URL's parameters are too long.")
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        raise ProblemError(
            400,
            "BAD_USER_INPUT",
            "The URL's parameters cannot be read: send ?name=value&…, percent-encoded in UTF-8.",
        ) from None
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            shown = name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}…"
            raise ProblemError(
                400,
                "BAD_USER_INPUT",
                f"There is no parameter {shown!r} here: "
                f"{'give one of ' + ', '.join(known) if known else 'give none'}.",
            )
        if name in given:
            raise ProblemError(400, "BAD_USER_INPUT", f"Give {name} once.", parameter=name)
        given[name] = value
    return given
