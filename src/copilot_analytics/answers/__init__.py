"""The questions, answered from rollups; one private module a topic."""

from __future__ import annotations

from ._answers import Answers

__all__ = ["Answers"]
