from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_analytics.exporting import ExportFile, save


def file_of(*chunks: bytes, error: BaseException | None = None) -> ExportFile:
    def made() -> Iterator[bytes]:
        yield from chunks
        if error is not None:
            raise error

    return ExportFile("a.ndjson", "application/x-ndjson", made())


def test_a_whole_file_is_there_for_its_owner_alone(tmp_path: Path) -> None:
    size = save(file_of(b"one\n", b"two\n"), tmp_path / "a.ndjson")

    assert size == 8
    assert (tmp_path / "a.ndjson").read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE((tmp_path / "a.ndjson").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a.ndjson"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("full"), SystemExit(1)])
def test_whatever_ends_it_leaves_what_has_been_there(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a.ndjson").write_bytes(b"before")

    with pytest.raises(type(error)):
        save(file_of(b"one\n", error=error), tmp_path / "a.ndjson")

    assert os.listdir(tmp_path) == ["a.ndjson"]
    assert (tmp_path / "a.ndjson").read_bytes() == b"before"


def test_the_file_that_a_link_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "b.ndjson"
    target.write_bytes(b"before")
    (tmp_path / "a.ndjson").symlink_to(target)

    save(file_of(b"one\n"), tmp_path / "a.ndjson")

    assert (tmp_path / "a.ndjson").is_symlink()
    assert target.read_bytes() == b"one\n"


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = list[bytes]()
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()

    assert save(file_of(b"one\n", b"two\n"), pipe) == 8

    reader.join()
    assert read == [b"one\ntwo\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save(file_of(b"one\n"), tmp_path / "missing" / "a.ndjson")


def test_ctrl_c_in_the_middle_leaves_no_half_file(tmp_path: Path) -> None:
    """A real process and its signal: it says when it has written some, and is interrupted then."""
    code = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from copilot_analytics.exporting import ExportFile, save\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def chunks():\n"
        "    while True:\n"
        "        yield b'x' * 65536\n"
        "        print('written', flush=True)\n"
        "save(ExportFile('a', 'text/plain', chunks()), Path(sys.argv[1]) / 'a')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"written\n"
    assert os.listdir(tmp_path), "the temporary file is there"

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert b"KeyboardInterrupt" in errors
    assert os.listdir(tmp_path) == []
