"""A DynamoDB engine for benchmarks: dynoxide, the one that the tests run on."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from tests.stores.dynamodb_engines import ENVIRONMENT, NOT_THERE, dynoxide, dynoxide_binary

__all__ = ["engine"]


@contextmanager
def engine() -> Iterator[str]:
    """Run it with an empty database and yield its URL; the environment is set for it, for good."""
    if dynoxide_binary() is None:
        sys.exit("dynoxide is not there: run make engine")
    for variable in NOT_THERE:
        os.environ.pop(variable, None)
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder, dynoxide(Path(folder)) as url:
        yield url
