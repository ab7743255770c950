"""Reads an original copilot's DynamoDB table: its events, and what its rows count beyond them.

The table is only ever read, by one Scan, whose pages go into the stage first: an interruption costs
the page that was being read. What is to be written is then made of the items in the order of their
keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any

import msgspec

from ..admission import Refusal
from ..errors import StoreError
from ..events import AnalyticsEvent
from ..periods import day_of
from ..stores._dynamodb_client import DynamoDBClient
from ..stores._dynamodb_keys import SETTINGS_KEY
from ..stores._dynamodb_table import PARTITION_KEY, SORT_KEY
from ..supplements import PatternSupplement, RollupSupplement, Supplement
from ._admitting import Admitter
from ._original_counts import OriginalCounts
from ._original_items import (
    COMMAND,
    ERROR,
    EVENT,
    ItemError,
    command_row,
    error_row,
    observation_of,
    plain,
)
from .errors import ImportRefusedError
from .report import ImportReport
from .sources import Progress, WantedDays
from .staging import Stage

__all__ = ["OriginalSource"]

_TOGETHER = 1_000

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class OriginalSource:
    """A table of the original copilot.

    Args:
        client: the table; not closed.
        admitter: checks what its events say.
        days: which days are wanted; an error's row is of its last day.
        keeps_text: whether messages of errors are kept, normalised.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        admitter: Admitter,
        *,
        days: WantedDays | None = None,
        keeps_text: bool = True,
    ) -> None:
        self._client = client
        self._admitter = admitter
        self._days = days or WantedDays()
        self._keeps_text = keeps_text

    @property
    def name(self) -> str:
        """The table as a URL."""
        return self._client.url

    def digest(self) -> str | None:
        """Return None: a table has to be read to tell what it holds."""
        return None

    def stage(self, stage: Stage, report: ImportReport, progress: Progress) -> str:
        """See `Source.stage`; the pages that an interrupted call has read are not read again."""
        stage.clear_records()
        self._scan(stage, progress)
        digest = blake2b(digest_size=16)
        for pk, sk, body in stage.items():
            report.read += 1
            digest.update(_encode([pk, sk, body]))
            if (pk, sk) == SETTINGS_KEY:
                raise ImportRefusedError(
                    self.name,
                    "it is no original's table but one of this version",
                    "permit dynamodb:GetItem and dynamodb:Query on it, to have it read as that",
                )
        counts = OriginalCounts(self._admitter.stored_user_id, keeps_text=self._keeps_text)
        numbers = iter(range(1, 1 << 62))
        self._stage_events(stage, counts, numbers, report, progress)
        self._count_rows(stage, counts, report)
        self._count_others(stage, report)
        stage.add(self._supplements(counts, numbers))
        report.dropped_values.update(self._admitter.dropped_values)
        return digest.hexdigest()

    def _scan(self, stage: Stage, progress: Progress) -> None:
        total = self._estimate()
        state = stage.get("scan") or {"start": None, "read": 0, "ended": False}
        while not state["ended"]:
            progress("scanning", state["read"], total)
            request: dict[str, Any] = {"TableName": self._client.table}
            if state["start"] is not None:
                request["ExclusiveStartKey"] = state["start"]
            answer = self._client.call("Scan", request)
            items = answer["Items"]
            start = answer.get("LastEvaluatedKey")
            state = {"start": start, "read": state["read"] + len(items), "ended": start is None}
            stage.add_items(map(_row, items), scan=state)
        progress("scanning", state["read"], state["read"])

    def _estimate(self) -> int | None:
        """Return how many items DynamoDB counted some hours ago; None if it may not be asked."""
        try:
            answer = self._client.call("DescribeTable", {"TableName": self._client.table})
        except StoreError:
            return None
        return answer["Table"].get("ItemCount") or None

    def _stage_events(
        self,
        stage: Stage,
        counts: OriginalCounts,
        numbers: Iterator[int],
        report: ImportReport,
        progress: Progress,
    ) -> None:
        items = stage.items(EVENT)
        done = 0
        while chunk := list(islice(items, _TOGETHER)):
            events = list(self._events(chunk, report))
            counts.add_events(events)
            wanted = []
            for event in events:
                if self._days.has_time(event.timestamp):
                    wanted.append(msgspec.structs.replace(event, sequence=next(numbers)))
                else:
                    report.skip("outside_range")
            stage.add(wanted)
            done += len(chunk)
            progress("preparing", done, report.read)

    def _events(
        self, chunk: list[tuple[str, str, bytes]], report: ImportReport
    ) -> Iterator[AnalyticsEvent]:
        for pk, sk, body in chunk:
            try:
                observation = observation_of(pk, sk, _plain_item(body))
            except ItemError as exc:
                report.skip(exc.reason)
                continue
            event = self._admitter.admit(observation, None, f"{pk}\0{sk}".encode(), 0)
            if isinstance(event, Refusal):
                report.skip(event.value)
            else:
                yield event

    def _count_rows(self, stage: Stage, counts: OriginalCounts, report: ImportReport) -> None:
        for pk, sk, body in stage.items(COMMAND):
            try:
                counts.add_command(command_row(pk, sk, _plain_item(body)))
            except ItemError as exc:
                report.skip(exc.reason)
        for pk, sk, body in stage.items(ERROR):
            try:
                counts.add_error(error_row(pk, sk, _plain_item(body)))
            except ItemError as exc:
                report.skip(exc.reason)

    def _count_others(self, stage: Stage, report: ImportReport) -> None:
        for pk, _, _ in stage.items():
            if not pk.startswith((EVENT, COMMAND, ERROR)):
                report.skip("unknown_item")

    def _supplements(self, counts: OriginalCounts, numbers: Iterator[int]) -> Iterator[Supplement]:
        patterns = list(counts.patterns())
        for key, rollup in counts.rollups():
            if self._days.has(key.period):
                yield RollupSupplement(sequence=next(numbers), key=key, rollup=rollup)
        for dimension, delta in patterns:
            if self._days.has(day_of(delta.last)):
                yield PatternSupplement(sequence=next(numbers), dimension=dimension, delta=delta)


def _row(item: dict[str, Any]) -> tuple[str, str, bytes]:
    pk, sk = (str(plain(item.pop(name))) for name in (PARTITION_KEY, SORT_KEY))
    for value in item.values():
        for kind, content in value.items():
            if kind in ("SS", "NS", "BS"):
                content.sort()  # a set comes in any order
    return pk, sk, _encode(item)


def _plain_item(body: bytes) -> dict[str, Any]:
    return {name: plain(value) for name, value in _decode(body).items()}
