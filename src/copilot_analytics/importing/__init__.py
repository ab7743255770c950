"""Moves events, and what was counted before them, into a store: from files, stores and tables."""

from __future__ import annotations

from .errors import ImportRefusedError
from .importer import Importer
from .ndjson_source import NDJSONSource
from .report import ImportReport
from .sources import Progress, WantedDays
from .staging import Stage, stage_path
from .store_source import SQLiteSource, StoreSource

__all__ = [
    "ImportRefusedError",
    "ImportReport",
    "Importer",
    "NDJSONSource",
    "Progress",
    "SQLiteSource",
    "Stage",
    "StoreSource",
    "WantedDays",
    "stage_path",
]
