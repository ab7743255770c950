"""The exit of the interpreter: what ends with it, in which order.

Handlers of `atexit` run in the reverse order of the imports that registered them; here recorders
are drained first, and then those end who tell what the recorders did.
"""

from __future__ import annotations

import atexit
from typing import Protocol
from weakref import WeakSet

__all__ = ["end_at_exit"]


class _Ending(Protocol):
    def end_at_exit(self) -> None: ...


_first: WeakSet[_Ending] = WeakSet()
_last: WeakSet[_Ending] = WeakSet()


def end_at_exit(thing: _Ending, *, after_recorders: bool = False) -> None:
    """Call `thing.end_at_exit()` when the interpreter ends, if `thing` still lives then.

    It must never raise, and return soon; no thread can be started any more.
    """
    (_last if after_recorders else _first).add(thing)


def _end() -> None:
    for things in (_first, _last):
        for thing in list(things):
            thing.end_at_exit()


atexit.register(_end)
