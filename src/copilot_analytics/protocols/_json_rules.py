"""The rules of a `JsonAdapter`: how they are written, checked and applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias, TypeGuard

import msgspec

from ..errors import RuleError
from ..events import EndReason, MetadataKey
from ._decoding import INVALID, byte_length
from ._json_kinds import KINDS, STARTING_CONTENT, STEP, Kind
from ._json_paths import ABSENT, Path, find, parse_path
from ._json_values import Reader, reader_of, text_of
from .signals import (
    Action,
    ConnectionNamed,
    Intent,
    Signal,
    StreamContent,
    StreamEnd,
    StreamStart,
    TurnEnd,
    Usage,
    UserMessage,
)

__all__ = ["CompiledRule", "Present", "RuleTable", "parse_rule"]

Literals: TypeAlias = str | int | float | bool | None


class Present(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In `match`: whether there is anything at the path, null included."""

    present: bool


class Constant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In `set`: a value that is the same for every frame."""

    value: str | int | float | bool


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it is written; `JsonAdapter` says what each field means."""

    direction: Literal["client", "server"]
    match: dict[str, Literals | Present]
    event: str
    set: dict[str, str | Constant] = {}
    conversation: str | None = None
    user: str | None = None
    starts_stream: bool = False
    turn: Literal["ends", "may_end", "goes_on"] | None = None


_REQUIRED: Final = {Intent: "intent", ConnectionNamed: "connection_id"}
_FROM_THE_SOCKET: Final = ("WEBSOCKET_CONNECTED", "WEBSOCKET_DISCONNECTED")
_AFTER_THE_SIGNAL: Final = (StreamStart, StreamEnd)  # it is the stream's turn that has the intent

_Test: TypeAlias = tuple[Path, Literals | Present]
_Source: TypeAlias = tuple[str, Path, Reader]


class CompiledRule:
    """A checked rule, ready to be applied to decoded frames. Immutable."""

    __slots__ = (
        "_conversation",
        "_fields",
        "_fixed",
        "_intent_first",
        "_required",
        "_signal",
        "_sources",
        "_starts_stream",
        "_turn",
        "_user",
        "direction",
        "tests",
    )

    def __init__(self, index: int, rule: Rule) -> None:
        kind = _kind_of(index, rule)
        self.direction = rule.direction
        self.tests: tuple[_Test, ...] = tuple(
            (_path(index, rule, path), expected) for path, expected in rule.match.items()
        )
        self._signal = kind.signal
        self._fields = kind.fields
        self._fixed = dict(kind.fixed)
        if rule.event == "STREAMING_INTERRUPTED" and rule.direction == "client":
            self._fixed["reason"] = EndReason.CANCELLED
        self._intent_first = kind.signal not in _AFTER_THE_SIGNAL
        self._required = None if kind.signal is None else _REQUIRED.get(kind.signal)
        self._sources = tuple(
            _source(index, rule, kind.keys[name], origin) for name, origin in rule.set.items()
        )
        self._starts_stream = rule.starts_stream
        self._turn = rule.turn or kind.turn
        self._conversation = _optional_path(index, rule, rule.conversation)
        self._user = _optional_path(index, rule, rule.user)

    @property
    def is_plain_content(self) -> bool:
        """Whether what it matches tells that a piece of a stream came, and nothing else."""
        return (
            self._signal is StreamContent
            and not self._sources
            and self._conversation is None
            and self._turn == "goes_on"
        )

    def matches(self, frame: dict[str, Any]) -> bool:
        """Return whether the rule is for this frame."""
        for path, expected in self.tests:
            found = find(frame, path)
            if isinstance(expected, Present):
                if (found is not ABSENT) is not expected.present:
                    return False
            elif not _equal(found, expected):
                return False
        return True

    def signals(self, frame: dict[str, Any], data: str | bytes) -> Sequence[Signal]:
        """Return what a frame tells that the rule is for, decoded and as it came."""
        conversation_id = _identifier(frame, self._conversation)
        values: dict[str, Any] = {}
        for name, path, read in self._sources:
            value = read(find(frame, path))
            if value is not None:
                values[name] = value
        if self._required is not None and self._required not in values:
            return INVALID
        signals: list[Signal] = []
        if self._signal is not None:
            signals.append(self._main_signal(values, conversation_id, frame, data))
        if self._starts_stream:
            signals.insert(0, StreamStart(True, values.get("intent"), conversation_id))
        if "intent" in values and self._signal is not Intent:
            intent = Intent(values["intent"], values.get("confidence"), conversation_id)
            signals.insert(len(signals) - 1 if self._intent_first else 1, intent)
        if self._turn != "goes_on":
            signals.append(TurnEnd(self._turn == "may_end", conversation_id))
        return signals

    def _main_signal(
        self,
        values: dict[str, Any],
        conversation_id: str | None,
        frame: dict[str, Any],
        data: str | bytes,
    ) -> Signal:
        make: Any = self._signal
        fields = {**self._fixed}
        extra = {}
        for name, value in values.items():
            if name in self._fields:
                fields[self._fields[name]] = value
            elif name not in ("intent", "confidence"):
                extra[name] = value
        if make is not ConnectionNamed:
            fields["conversation_id"] = conversation_id
        if extra or make is Usage:
            fields["extra"] = extra
        if make is UserMessage:
            fields = {
                "length": None,
                "frame_bytes": byte_length(data),
                "claimed_user_id": _identifier(frame, self._user),
                **fields,
            }
        signal: Signal = make(**fields)
        return signal


class RuleTable:
    """Rules of one direction in order, indexed by the string that most of them ask for.

    Protocols tell their frames apart by one field, so a frame has to be held against few rules.
    """

    __slots__ = ("_by_value", "_others", "_path")

    def __init__(self, rules: Iterable[CompiledRule]) -> None:
        rules = tuple(rules)
        asked = Counter(path for rule in rules for path, value in rule.tests if _is_text(value))
        self._path: Path = asked.most_common(1)[0][0] if asked else ()
        wanted = [(rule, self._wanted(rule)) for rule in rules]
        self._others = tuple(rule for rule, value in wanted if value is None)
        self._by_value = {
            value: tuple(rule for rule, its_value in wanted if its_value in (None, value))
            for _, value in wanted
            if value is not None
        }

    def first_match(self, frame: dict[str, Any]) -> CompiledRule | None:
        """Return the first rule that is for this frame."""
        value = find(frame, self._path)
        rules = self._by_value.get(value, self._others) if _is_text(value) else self._others
        for rule in rules:
            if rule.matches(frame):
                return rule
        return None

    def _wanted(self, rule: CompiledRule) -> str | None:
        """Return the string that the rule asks for at the path, if any."""
        for path, value in rule.tests:
            if path == self._path and _is_text(value):
                return value
        return None


def parse_rule(index: int, written: object) -> CompiledRule:
    """Check a rule as it is written.

    Raises:
        RuleError: it cannot be used; the text says what to do.
    """
    try:
        rule = msgspec.convert(written, Rule)
    except msgspec.ValidationError as error:
        raise RuleError(index, written, str(error)) from None
    return CompiledRule(index, rule)


def _kind_of(index: int, rule: Rule) -> Kind:
    """Return what the rule leads to, once it is known to make sense."""

    def refuse(remedy: str) -> RuleError:
        return RuleError(index, msgspec.to_builtins(rule), remedy)

    if rule.event in _FROM_THE_SOCKET:
        raise refuse(f"{rule.event} comes from the socket itself, never from a frame")
    kind = KINDS.get(rule.event)
    if kind is None:
        raise refuse(f"event is one of {', '.join(KINDS)}")
    if kind.signal is Action and "step_number" in rule.set:
        kind = msgspec.structs.replace(STEP, keys=kind.keys, fixed=kind.fixed)
    if rule.starts_stream:
        if kind.signal is not StreamContent:
            raise refuse("starts_stream is for first_content")
        kind = STARTING_CONTENT
    if rule.user is not None and kind.signal is not UserMessage:
        raise refuse("user is for MESSAGE_SENT")
    for name in rule.set:
        if name not in kind.keys:
            known = ", ".join(sorted(kind.keys)) or "nothing"
            raise refuse(f"set cannot name {name!r}; for {rule.event} it may name {known}")
    required = None if kind.signal is None else _REQUIRED.get(kind.signal)
    if required is not None and required not in rule.set:
        raise refuse(f"set has to name {required!r} for {rule.event}")
    return kind


def _path(index: int, rule: Rule, text: str) -> Path:
    try:
        return parse_path(text)
    except ValueError as error:
        raise RuleError(index, msgspec.to_builtins(rule), str(error)) from None


def _optional_path(index: int, rule: Rule, text: str | None) -> Path | None:
    return None if text is None else _path(index, rule, text)


def _source(index: int, rule: Rule, key: MetadataKey, origin: str | Constant) -> _Source:
    if isinstance(origin, str):
        return key.name, _path(index, rule, origin), reader_of(key)
    value = reader_of(key)(origin.value)
    if value is None:
        remedy = f"{origin.value!r} is no {key.kind} for {key.name!r}"
        raise RuleError(index, msgspec.to_builtins(rule), remedy)
    return key.name, (), lambda _: value


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


def _equal(found: Any, expected: Any) -> bool:
    # To Python True is 1; to JSON it is not.
    return bool(found == expected) and isinstance(found, bool) is isinstance(expected, bool)


def _identifier(frame: dict[str, Any], path: Path | None) -> str | None:
    return None if path is None else text_of(find(frame, path))
