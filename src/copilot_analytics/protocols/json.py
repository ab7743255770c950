"""A wire protocol described by a table instead of code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from ..errors import ConfigurationError
from ._decoding import MALFORMED, UNKNOWN, UNREADABLE, load_object
from ._json_rules import CompiledRule, Present, RuleTable, parse_rule
from .base import FrameAdapter
from .signals import Signal

__all__ = ["JsonAdapter"]

_SPACE: Final = r"[ \t\r\n]*"


class JsonAdapter(FrameAdapter):
    """Reads any protocol of JSON objects by rules; the first rule that matches a frame wins.

    >>> adapter = JsonAdapter(
    ...     [
    ...         {
    ...             "direction": "client",
    ...             "match": {"op": "ask"},
    ...             "event": "MESSAGE_SENT",
    ...             "set": {"message_length": "body.text"},
    ...             "conversation": "thread",
    ...         },
    ...         {
    ...             "direction": "server",
    ...             "match": {"op": "tool", "result.ok": True},
    ...             "event": "ACTION_EXECUTED",
    ...             "set": {"command_name": "tool", "execution_ms": "result.ms"},
    ...         },
    ...         {"direction": "server", "match": {"op": {"present": True}}, "event": "ignore"},
    ...     ]
    ... )
    >>> adapter.client_frame('{"op": "ask", "thread": "t1", "body": {"text": "Where is it?"}}')
    [UserMessage(length=12, frame_bytes=63, streaming=None, conversation_id='t1', \
claimed_user_id=None, extra=None)]
    >>> action, turn_end = adapter.server_frame(
    ...     '{"op": "tool", "tool": "track", "result": {"ok": true, "ms": 8.5}}'
    ... )
    >>> action.command_name, action.execution_ms, action.success
    ('track', 8.5, True)

    A rule is a mapping with these keys:

    * `direction`: `client` or `server`, who sends the frame.
    * `match`: what the frame has at which path: a literal, or `{"present": true}` (or false) for
      anything (nothing) at all. All have to hold; an empty one matches every frame.
    * `event`: the name of an event type (not the two of the socket itself), or
        - `first_content`: a piece of a stream; the first of a stream gives the time to first token,
        - `queued`: the server queued the message (`queue_position`, `queue_total`,
          `queue_wait_ms`),
        - `usage`: tokens, model and cost of the turn in a frame of their own,
        - `connection`: the server's own id of the connection (`connection_id`),
        - `ignore`: nothing.
    * `set`: metadata of the event (see `events.METADATA_KEYS`) by the path of their value, or
      `{"value": …}` for one that is always the same. Durations are milliseconds. At the path of a
      `message_length` or `partial_length` there may be the text itself: only its length is taken.
      An `intent` (with its `confidence`) is also recorded as the turn's. An action with a
      `step_number` is a step of a multi-step run.
    * `conversation`: the path of the conversation's id.
    * `user`: for `MESSAGE_SENT`, the path of the user's id as the client states it; used only with
      `trust_client_identity`.
    * `starts_stream`: for `first_content`, that it also starts a stream if none is open, for
      protocols that announce none.
    * `turn`: whether the answer is over with this frame: `ends`, `may_end` (more of it may follow,
      until the user's next message) or `goes_on`. Actions, clarifications, errors and the end of a
      stream end it, that of a multi-step run may, unless a rule says otherwise.

    Paths are keys joined by dots, with positions in brackets: `choices[0].delta.tool`. A value of
    another kind than its key's counts as absent. Do not point a name at free text: names are
    stored.

    Args:
        rules: the table.
        name: what is stored with each connection.

    Raises:
        RuleError: a rule cannot be used; it says which and why.
    """

    __slots__ = ("_client_rules", "_content_start", "_server_rules", "name")

    def __init__(self, rules: Sequence[Mapping[str, object]], *, name: str = "json") -> None:
        compiled = [parse_rule(index, rule) for index, rule in enumerate(rules)]
        self.name = name
        server_rules = [rule for rule in compiled if rule.direction == "server"]
        self._client_rules = RuleTable(rule for rule in compiled if rule.direction == "client")
        self._server_rules = RuleTable(server_rules)
        self._content_start = _content_start(server_rules)

    @classmethod
    def from_file(cls, path: str | PathLike[str], *, name: str = "json") -> Self:
        """Return an adapter with the rules in a JSON file, an array of them.

        Raises:
            ConfigurationError: the file cannot be read, or holds no array of objects.
            RuleError: a rule cannot be used.
        """
        try:
            rules = msgspec.json.decode(Path(path).read_bytes(), type=list[dict[str, object]])
        except (OSError, msgspec.DecodeError) as error:
            remedy = f"give a JSON file with an array of rules ({error})"
            raise ConfigurationError("rules", str(path), remedy) from error
        return cls(rules, name=name)

    def client_frame(self, data: str | bytes) -> Sequence[Signal]:
        """Return what the first client rule that matches the frame tells."""
        return _read(data, self._client_rules)

    def server_frame(self, data: str | bytes) -> Sequence[Signal]:
        """Return what the first server rule that matches the frame tells."""
        return _read(data, self._server_rules)

    def content_prefix(self, data: str | bytes) -> str | None:
        """Return the frame's start up to the literal that a rule for content asks for.

        None where that literal is not the frame's first value, or does not decide alone.
        """
        if self._content_start is None or isinstance(data, bytes):
            return None
        start = self._content_start.match(data)
        return start.group() if start else None


def _read(data: str | bytes, rules: RuleTable) -> Sequence[Signal]:
    frame: Any
    try:
        frame = msgspec.json.decode(data)
    except UNREADABLE:
        frame = load_object(data)
    if not isinstance(frame, dict):
        return MALFORMED
    rule = rules.first_match(frame)
    return UNKNOWN if rule is None else rule.signals(frame, data)


def _content_start(rules: Sequence[CompiledRule]) -> re.Pattern[str] | None:
    """Return what finds the start by which a frame is known to be a piece of a stream.

    A rule qualifies that asks for one string under one key, if every rule before it asks for
    something else under that key: then no other rule can get the frame.
    """
    starts = []
    for position, rule in enumerate(rules):
        if not rule.is_plain_content or len(rule.tests) != 1:
            continue
        ((path, expected),) = rule.tests
        (key, *deeper) = path
        if deeper or not isinstance(key, str) or not isinstance(expected, str):
            continue
        if all(_excludes(before, key, expected) for before in rules[:position]):
            starts.append(
                rf"{re.escape(json.dumps(key))}{_SPACE}:{_SPACE}{re.escape(json.dumps(expected))}"
            )
    return re.compile(rf"{_SPACE}\{{{_SPACE}(?:{'|'.join(starts)})") if starts else None


def _excludes(rule: CompiledRule, key: str, value: str) -> bool:
    """Return whether the rule cannot match a frame that has `value` under `key`."""
    return any(
        path == (key,) and not isinstance(expected, Present) and expected != value
        for path, expected in rule.tests
    )
