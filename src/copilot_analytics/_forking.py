"""Forks: what a child has to forget, and what must not be open while one happens.

A forked child has its parent's memory, but neither its threads nor its file locks.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["renew_in_children", "settle_before_forks"]


class _Renewable(Protocol):
    def renew_in_child(self) -> None: ...


class _Settling(Protocol):
    def settle_before_fork(self) -> None: ...

    def resume_after_fork(self) -> None: ...


_renewed: WeakSet[_Renewable] = WeakSet()
_settling: WeakSet[_Settling] = WeakSet()


def renew_in_children(thing: _Renewable) -> None:
    """Call `thing.renew_in_child()` in every process that is forked while `thing` lives."""
    _renewed.add(thing)


def settle_before_forks(thing: _Settling) -> None:
    """Call `thing.settle_before_fork()` before each fork, `resume_after_fork()` in the parent then.

    The first must return soon: the host waits for its fork.
    """
    _settling.add(thing)


def _settle() -> None:
    for thing in list(_settling):
        thing.settle_before_fork()


def _resume() -> None:
    for thing in list(_settling):
        thing.resume_after_fork()


def _renew() -> None:
    for thing in list(_renewed):
        thing.renew_in_child()


# Interpreter-wide hooks cannot be taken back, so there is one for all of us. Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_settle, after_in_parent=_resume, after_in_child=_renew)
