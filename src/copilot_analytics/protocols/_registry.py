"""The adapters by the names that configuration calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ..errors import ConfigurationError
from .base import FrameAdapter
from .json import JsonAdapter
from .omnitrack import OmnitrackAdapter

__all__ = ["KNOWN", "adapter_named"]

KNOWN: Final[Mapping[str, Callable[[], FrameAdapter]]] = MappingProxyType(
    {OmnitrackAdapter.name: OmnitrackAdapter}
)
"""The adapters that need no rules, by name."""


def adapter_named(name: str) -> FrameAdapter:
    """Return an adapter by the name that configuration calls it.

    Args:
        name: one of `KNOWN`, or "json:" and the path of a file with a `JsonAdapter`'s rules.

    Raises:
        ConfigurationError: there is none of this name, or the rules cannot be used.
    """
    kind, is_table, path = name.partition(":")
    if kind == "json" and is_table:
        return JsonAdapter.from_file(path)
    make = KNOWN.get(name)
    if make is None:
        raise ConfigurationError(
            "adapter",
            name,
            f"the known ones are {', '.join(sorted(KNOWN))} and json:FILE; "
            "in Python any FrameAdapter can be passed",
        )
    return make()
