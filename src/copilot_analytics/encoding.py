"""Stored metadata: JSON with camelCase names, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from .events import ALL_METADATA_KEYS, MetadataValue

__all__ = ["decode_metadata", "encode_metadata"]

_DECODER = msgspec.json.Decoder(dict[str, MetadataValue])
_STORED = {name: key.stored for name, key in ALL_METADATA_KEYS.items()}
_NAMES = {key.stored: name for name, key in ALL_METADATA_KEYS.items()}
_UPPER = re.compile(r"(?<!^)([A-Z])")


def encode_metadata(metadata: Mapping[str, MetadataValue]) -> str:
    """Return metadata as JSON text with its stored (camelCase) names."""
    return msgspec.json.encode(
        {_STORED.get(name) or _camel(name): value for name, value in metadata.items()}
    ).decode()


def decode_metadata(text: str) -> dict[str, MetadataValue]:
    """Return the metadata of `encode_metadata`, by Python names."""
    return {
        _NAMES.get(name) or _snake(name): value for name, value in _DECODER.decode(text).items()
    }


@lru_cache(maxsize=1024)
def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return _UPPER.sub(lambda found: f"_{found[1].lower()}", name)
