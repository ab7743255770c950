"""One wire protocol a module: frames to signals."""

from __future__ import annotations

from .base import FrameAdapter

__all__ = ["FrameAdapter"]
