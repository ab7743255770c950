"""Long lists, completed in slices: whoever asks for one must not keep a copilot beside us waiting.

graphql-core completes a list in one go, which takes 0.1 s for the longest that `limits.py` lets
pass. It takes a list that comes bit by bit as well, and so gets one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any, TypeVar

from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from .context import Context
from .turns import Turns

__all__ = ["complete_in_slices", "in_slices"]

_T = TypeVar("_T")

SLICE_SECONDS = 0.003
"""What one slice takes at most, but for its last entry."""

SHORT = 10
"""Lists no longer than this stay as they are."""


async def in_slices(
    entries: Sequence[_T], turns: Turns, *, seconds: float = SLICE_SECONDS
) -> AsyncGenerator[_T, None]:
    """Yield entries, waiting for a turn of the event loop before each slice.

    A cancellation waits for the end: graphql-core would drop the entries that it has begun, never
    awaited, and Python warn of each.

    Args:
        entries: what to yield.
        turns: one slice takes one; shared by all lists, so that many are no longer than one.
        seconds: about how long whoever takes the entries may go on in one turn.
    """
    ends = 0.0
    cancelled: asyncio.Task[Any] | None = None
    try:
        for entry in entries:
            if time.perf_counter() >= ends:
                cancelled = await _turn(turns) or cancelled
                ends = time.perf_counter() + seconds
            yield entry
    finally:
        if cancelled is not None:
            cancelled.cancel()


async def _turn(turns: Turns) -> asyncio.Task[Any] | None:
    """Wait for a turn; return the task if it was cancelled meanwhile, and is no more."""
    try:
        await turns.take()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            # Else whoever cancelled it, a time-out for one, would take the next one for another's.
            task.uncancel()
        return task
    return None


def complete_in_slices(schema: GraphQLSchema, places: Iterable[str]) -> None:
    """Have a schema complete some of its lists in slices.

    Args:
        schema: changed in place; the context of its operations has `turns`.
        places: its long lists, as `Type.field`.
    """
    for place in places:
        parent, _, name = place.partition(".")
        found = schema.get_type(parent)
        if not isinstance(found, GraphQLObjectType):
            raise TypeError(f"there is no type {parent}")
        field = found.fields[name]
        if field.resolve is None:
            raise TypeError(f"{place} has no resolver")
        field.resolve = _sliced(field.resolve)


def _sliced(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def resolved(source: Any, info: GraphQLResolveInfo[Context], **arguments: Any) -> Any:
        entries = resolve(source, info, **arguments)
        if not isinstance(entries, list | tuple) or len(entries) <= SHORT:
            return entries
        return in_slices(entries, info.context.turns)

    return resolved
