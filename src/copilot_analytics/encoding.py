"""Stored metadata: JSON with camelCase names, and back.

Documented keys are mapped by their table; the application's own (`extra_keys`) by rule, which leads
back because each part of their names starts with a letter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from .events import ALL_METADATA_KEYS, MetadataValue

__all__ = ["decode_metadata", "encode_metadata"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, MetadataValue]).decode
_STORED = {name: key.stored for name, key in ALL_METADATA_KEYS.items()}
_NAMES = {key.stored: name for name, key in ALL_METADATA_KEYS.items()}
_UPPER = re.compile(r"(?<!^)([A-Z])")


def encode_metadata(metadata: Mapping[str, MetadataValue]) -> str:
    """Return metadata as JSON text with its stored (camelCase) names."""
    try:
        stored = {_STORED[name]: value for name, value in metadata.items()}
    except KeyError:
        stored = {_STORED.get(name) or _camel(name): value for name, value in metadata.items()}
    return _encode(stored).decode()


def decode_metadata(text: str) -> dict[str, MetadataValue]:
    """Return the metadata of `encode_metadata`, by Python names."""
    stored = _decode(text)
    try:
        return {_NAMES[name]: value for name, value in stored.items()}
    except KeyError:
        return {_NAMES.get(name) or _snake(name): value for name, value in stored.items()}


@lru_cache(maxsize=1024)
def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return _UPPER.sub(lambda found: f"_{found[1].lower()}", name)
