"""Details: a rollup's counters beside its headlines, as one value of `details.counters`.

MessagePack of two maps: counters by name, and histograms by family. A histogram is its lowest
bucket and the counts from there on: named one by one, a day's two hundred buckets take four times
as long to read, and as much again to add up.

Files of schema 1 and 2 hold one map, of every counter by name. It is read as well, and written anew
with the next event that the rollup counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress, repeat
from operator import add

import msgspec

from ..histogram import MAX_BUCKET, ZERO_BUCKET
from ..rollups import NUMBERED_FAMILIES

__all__ = ["add_to_details", "decode_details", "sum_details"]

_BUCKETS = range(ZERO_BUCKET, MAX_BUCKET + 1)
_NAMES = {family: [f"{family}{bucket}" for bucket in _BUCKETS] for family in NUMBERED_FAMILIES}
_PLACES = {
    name: (family, bucket)
    for family, names in _NAMES.items()
    for name, bucket in zip(names, _BUCKETS, strict=True)
}


class _Details(msgspec.Struct, array_like=True, gc=False):
    counters: dict[str, int]
    histograms: dict[str, tuple[int, list[int]]]


_decode = msgspec.msgpack.Decoder(_Details).decode
_decode_map = msgspec.msgpack.Decoder(dict[str, int]).decode
_encode = msgspec.msgpack.Encoder().encode

_TWO = b"\x92"
"""How an array of two starts."""


def decode_details(stored: bytes) -> dict[str, int]:
    """Return the counters of a stored value by their names, without zeros in histograms.

    Raises:
        msgspec.MsgspecError: it is no such value.
    """
    if not stored.startswith(_TWO):
        return _decode_map(stored)
    details = _decode(stored)
    counters = details.counters
    for family, (lowest, counts) in details.histograms.items():
        start = lowest - ZERO_BUCKET
        names = _NAMES[family][start : start + len(counts)]
        counters.update(compress(zip(names, counts, strict=True), counts))
    return counters


def sum_details(stored: Iterable[bytes]) -> dict[str, int]:
    """Return the sums of the counters of stored values, see `decode_details`."""
    sums: dict[str, int] = {}
    histograms: dict[str, list[int]] = {}
    for each in stored:
        details = _details(each)
        for name, count in details.counters.items():
            sums[name] = sums.get(name, 0) + count
        for family, (lowest, counts) in details.histograms.items():
            total = histograms.get(family)
            if total is None:
                total = histograms[family] = [0] * len(_BUCKETS)
            start = lowest - ZERO_BUCKET
            end = start + len(counts)
            total[start:end] = map(add, total[start:end], counts)
    for family, total in histograms.items():
        sums.update(compress(zip(_NAMES[family], total, strict=True), total))
    return sums


def add_to_details(stored: bytes | None, counters: Mapping[str, int]) -> bytes:
    """Return a stored value with counters added; None is one without any."""
    details = _Details({}, {}) if stored is None else _details(stored)
    _add(details, counters)
    return _encode(details)


def _details(stored: bytes) -> _Details:
    if stored.startswith(_TWO):
        return _decode(stored)
    details = _Details({}, {})
    _add(details, _decode_map(stored))
    return details


def _add(details: _Details, counters: Mapping[str, int]) -> None:
    named, histograms = details.counters, details.histograms
    for name, count in counters.items():
        place = _PLACES.get(name)
        if place is None:
            named[name] = named.get(name, 0) + count
            continue
        family, bucket = place
        lowest, counts = histograms.get(family) or (bucket, [])
        index = bucket - lowest
        if index < 0:
            counts[:0] = repeat(0, -index)
            lowest, index = bucket, 0
        elif index >= len(counts):
            counts.extend(repeat(0, index + 1 - len(counts)))
        counts[index] += count
        histograms[family] = lowest, counts
