"""One wire protocol a module: frames to signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ..errors import ConfigurationError
from .base import FrameAdapter
from .omnitrack import OmnitrackAdapter

__all__ = ["KNOWN", "FrameAdapter", "adapter_named"]

KNOWN: Final[Mapping[str, Callable[[], FrameAdapter]]] = MappingProxyType(
    {OmnitrackAdapter.name: OmnitrackAdapter}
)
"""The adapters that need no rules, by name."""


def adapter_named(name: str) -> FrameAdapter:
    """Return an adapter by the name that configuration calls it.

    Raises:
        ConfigurationError: there is none of this name.
    """
    make = KNOWN.get(name)
    if make is None:
        raise ConfigurationError(
            "adapter",
            name,
            f"the known ones are {', '.join(sorted(KNOWN))}; "
            "for a protocol of your own pass a JsonAdapter or another FrameAdapter",
        )
    return make()
