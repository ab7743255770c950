"""Stored metadata: JSON with camelCase names, and back.

Documented keys are mapped by their table; the application's own (`extra_keys`) by rule, which leads
back because each part of their names starts with a letter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from .events import ALL_METADATA_KEYS, MetadataValue

__all__ = ["decode_metadata", "encode_metadata", "from_stored_names", "to_stored_names"]

_T = TypeVar("_T")

_encode_lines = msgspec.json.Encoder().encode_lines
_decode = msgspec.json.Decoder(dict[str, MetadataValue]).decode
_STORED = {name: key.stored for name, key in ALL_METADATA_KEYS.items()}
_NAMES = {key.stored: name for name, key in ALL_METADATA_KEYS.items()}
_UPPER = re.compile(r"(?<!^)([A-Z])")
_MAX_SHAPES = 256  # making one takes as long as encoding twenty without it
_shapes: dict[tuple[str, ...], type[msgspec.Struct]] = {}


def encode_metadata(metadata: Sequence[Mapping[str, MetadataValue]]) -> list[str]:
    """Return the metadata of several events, each as JSON text with its stored (camelCase) names.

    Made Structs first, which know their fields' stored names, one for each combination of keys:
    that takes two thirds of what renaming each key does.
    """
    shapes = _shapes
    renamed: list[Any]
    try:
        renamed = [shapes[tuple(one)](*one.values()) for one in metadata]
    except KeyError:
        renamed = [_shaped(one) for one in metadata]
    # No JSON text holds a line feed as it is.
    return _encode_lines(renamed).decode().split("\n")[: len(renamed)]


def _shaped(metadata: Mapping[str, MetadataValue]) -> msgspec.Struct | dict[str, MetadataValue]:
    """Return metadata as a Struct of its shape, which is made if there is room for one more."""
    names = tuple(metadata)
    shape = _shapes.get(names)
    if shape is None:
        if len(_shapes) >= _MAX_SHAPES:
            return to_stored_names(metadata)
        # Numbered: names of the application's own keys may be keywords.
        fields = [f"_{place}" for place in range(len(names))]
        shape = _shapes[names] = msgspec.defstruct(
            "StoredMetadata",
            [(field, Any) for field in fields],
            rename=dict(zip(fields, to_stored_names(metadata), strict=True)),
            gc=False,
        )
    return shape(*metadata.values())


def decode_metadata(text: str) -> dict[str, MetadataValue]:
    """Return the metadata of one text of `encode_metadata`, by Python names."""
    return from_stored_names(_decode(text))


def to_stored_names(metadata: Mapping[str, _T]) -> dict[str, _T]:
    """Return metadata by its stored (camelCase) names."""
    try:
        return {_STORED[name]: value for name, value in metadata.items()}
    except KeyError:
        return {_STORED.get(name) or _camel(name): value for name, value in metadata.items()}


def from_stored_names(stored: Mapping[str, _T]) -> dict[str, _T]:
    """Return metadata by its Python names, from its stored ones."""
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
