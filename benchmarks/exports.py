"""Events to NDJSON and Parquet by `copilot-analytics export`: peak memory, time, size.

Each export runs in a process of its own, which has all its imports done before the memory that it
has then is noted; the peak is what the kernel counts from there on.

    python benchmarks/exports.py [events=5000000]
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _observations import fill
from _report import Result

BOUND_MB = 150.0

PROGRAM = """
import re, sys
import copilot_analytics.exporting.parquet, pyarrow.parquet
from copilot_analytics.server import commands
from copilot_analytics.cli import main

def megabytes(name):
    return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024

before = megabytes("VmRSS")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak begins anew
status = 0
try:
    main()
except SystemExit as end:
    status = end.code
print(megabytes("VmHWM") - before)
sys.exit(status)
"""


def _export(store: Path, target: Path) -> tuple[float, float]:
    """Return how far memory rose at most, in MB, and how long it took, in seconds."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "export", str(target), "--store", f"sqlite:///{store}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1]), time.perf_counter() - started


def main(events: str = "5000000") -> int:
    """Print what each format took."""
    result = Result()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(fill(folder / "store.db", int(events), int(time.time() * 1000)))
        for ending in ("ndjson", "parquet"):
            target = folder / f"events.{ending}"
            memory, seconds = _export(folder / "store.db", target)
            result.line(f"{ending}: peak memory above its imports", memory, "MB", BOUND_MB)
            result.line(f"{ending}: time", seconds, "s")
            result.line(f"{ending}: size", target.stat().st_size / 1e6, "MB")
            target.unlink()
    return result.missed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
