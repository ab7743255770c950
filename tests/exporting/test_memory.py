"""What an export needs does not grow with what it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_analytics.batch import Batch
from copilot_analytics.store_samples import DAYS, NOW_MS, sample_events
from copilot_analytics.stores import SQLiteStore
from copilot_analytics.testing import FakeClock

SMALL, LARGE = 20_000, 120_000
KEPT = {  # the samples are of a day long gone
    "COPILOT_ANALYTICS_EVENT_RETENTION_DAYS": "3650",
    "COPILOT_ANALYTICS_ROLLUP_RETENTION_DAYS": "3651",
}
PROGRAM = """
import re, sys
import copilot_analytics.exporting.parquet, pyarrow.parquet
from copilot_analytics.server import commands
from copilot_analytics.cli import main

with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak begins anew
try:
    main()
finally:
    print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def peak_kb(store: Path, target: Path) -> int:
    done = subprocess.run(
        [
            *[sys.executable, "-c", PROGRAM, "export", str(target)],
            *["--store", f"sqlite:///{store}", "--from", DAYS.first_day, "--to", DAYS.last_day],
        ],
        env={**os.environ, **KEPT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells peaks")
def test_memory_is_the_same_for_six_times_the_events(tmp_path: Path) -> None:
    stores = {}
    for count in (SMALL, LARGE):
        stores[count] = tmp_path / f"{count}.db"
        with SQLiteStore(stores[count], clock=FakeClock(NOW_MS)) as store:
            events = sample_events(count)
            store.write(Batch(events[0].writer, tuple(events)))

    peaks = {count: peak_kb(path, tmp_path / f"{count}.ndjson") for count, path in stores.items()}

    # The events themselves have 25 MB more to be written.
    assert (tmp_path / f"{LARGE}.ndjson").stat().st_size > 10_000_000
    assert peaks[LARGE] - peaks[SMALL] < 8_000
