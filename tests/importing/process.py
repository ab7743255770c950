"""An import in a process of its own, which tells of every batch that it has written.

python -m tests.importing.process SOURCE STORE STATE BATCH_SIZE
"""

from __future__ import annotations

import sys
from pathlib import Path

from copilot_analytics.importing import Importer, NDJSONSource, SQLiteSource, Stage
from copilot_analytics.importing.sources import Source
from copilot_analytics.store_samples import NOW_MS
from copilot_analytics.stores import open_store
from copilot_analytics.testing import FakeClock

from .importing import admitter


def main(path: str, url: str, state: str, size: str) -> None:
    clock = FakeClock(NOW_MS)
    source: Source
    if path.endswith(".db"):
        source = SQLiteSource(Path(path), clock=clock)
    else:
        source = NDJSONSource(Path(path), admitter())

    def tell(step: str, done: int, _total: int | None) -> None:
        sys.stdout.write(f"{step} {done}\n")
        sys.stdout.flush()

    with open_store(url, clock=clock) as store, Stage(Path(state)) as stage:
        importer = Importer(source, store, stage, progress=tell, batch_size=int(size))
        importer.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
