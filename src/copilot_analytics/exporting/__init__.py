"""Exports: what a store knows of some days as a file, in chunks, at constant memory.

The REST endpoint, GraphQL and the command line hand on the same bytes. `docs/exports.md` says what
each format holds.
"""

from __future__ import annotations

from .exporter import Exporter
from .files import ExportFile, ExportStream
from .positions import parse_position, position_text
from .request import ExportRequest
from .saving import save

__all__ = [
    "ExportFile",
    "ExportRequest",
    "ExportStream",
    "Exporter",
    "parse_position",
    "position_text",
    "save",
]
