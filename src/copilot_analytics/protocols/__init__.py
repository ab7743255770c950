"""One wire protocol a module: frames to signals."""

from __future__ import annotations

from ._registry import KNOWN, adapter_named
from .base import FrameAdapter
from .json import JsonAdapter

__all__ = ["KNOWN", "FrameAdapter", "JsonAdapter", "adapter_named"]
