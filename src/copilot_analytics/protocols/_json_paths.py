"""Paths into JSON values: `metadata.intent`, `choices[0].delta`."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

__all__ = ["ABSENT", "Path", "find", "parse_path"]

Path: TypeAlias = tuple[str | int, ...]
"""Keys of objects and positions in arrays, from the outside in."""

ABSENT: Final = object()
"""What `find` returns where there is nothing; not None, which JSON has."""

_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d{1,6})\]")


def parse_path(text: str) -> Path:
    """Return the path that `text` writes: keys joined by dots, positions in brackets, from 0.

    Raises:
        ValueError: it is none; the text says so.
    """
    steps: list[str | int] = []
    end = 0
    while step := _STEP.match(text, end):
        key, position = step.groups()
        steps.append(int(position) if key is None else key)
        end = step.end()
    if not steps or end != len(text):
        raise ValueError(f"{text!r} is no path: write keys with dots and positions in brackets")
    return tuple(steps)


def find(value: Any, path: Path) -> Any:
    """Return what is at `path` in a decoded JSON value, or `ABSENT`."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
        else:
            reaches = isinstance(value, list) and step < len(value)
            value = value[step] if reaches else ABSENT
    return value
