"""What a forked child has to forget: locks that nobody holds any more, threads that are gone."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["renew_in_children"]


class _Renewable(Protocol):
    def renew_in_child(self) -> None: ...


_renewed: WeakSet[_Renewable] = WeakSet()


def renew_in_children(thing: _Renewable) -> None:
    """Call `thing.renew_in_child()` in every process that is forked while `thing` lives."""
    _renewed.add(thing)


def _renew() -> None:
    for thing in list(_renewed):
        thing.renew_in_child()


# Interpreter-wide hooks cannot be taken back, so there is one for all of us. Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
