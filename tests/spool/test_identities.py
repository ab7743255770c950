from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from copilot_analytics.spool.directories import Directory
from copilot_analytics.spool.identities import BLOCK, Identity


def reserved(directory: Directory, number: int, **options: str) -> Identity:
    identity = Identity(directory, **options)
    identity.reserve(number)
    return identity


def test_a_restart_goes_on_under_the_same_id_after_the_reserved_block(tmp_path: Path) -> None:
    directory = Directory.create(tmp_path)
    first = reserved(directory, 1)
    assert (first.first, first.reserved) == (1, 1 + BLOCK)
    first.reserve(first.reserved)
    assert first.reserved == 1 + BLOCK, "what is reserved is not reserved again"
    first.reserve(first.reserved + 1)

    again = Identity(directory)

    assert again.writer == first.writer
    assert again.first == first.reserved + 1
    directory.release()


def test_ids_are_short_and_differ(tmp_path: Path) -> None:
    directories = [Directory.create(tmp_path) for _ in range(20)]

    ids = {Identity(directory).writer for directory in directories}

    assert len(ids) == 20
    assert {len(identifier) for identifier in ids} == {12}
    for directory in directories:
        directory.release()


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1}', b"\xff" * 100])
def test_a_file_that_cannot_be_read_makes_a_new_writer(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    directory = Directory.create(tmp_path)
    before = reserved(directory, 1)
    file = directory.path / "writer.json"
    file.write_bytes(content)

    after = reserved(directory, 1)

    assert after.writer != before.writer
    assert (after.first, after.reserved) == (1, 1 + BLOCK)
    assert "cannot be read" in caplog.text
    assert Identity(directory).writer == after.writer
    directory.release()


def test_a_file_of_a_later_version_makes_a_new_writer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = Directory.create(tmp_path)
    before = reserved(directory, 1)
    file = directory.path / "writer.json"
    file.write_text(file.read_text().replace('"version":1', '"version":2'))

    assert Identity(directory).writer != before.writer
    assert "is of version 2" in caplog.text
    directory.release()


def test_a_copied_directory_is_another_writer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = Directory.create(tmp_path)
    original = reserved(directory, 1)
    shutil.copytree(directory.path, tmp_path / "copy")
    copy = Directory.lock(tmp_path / "copy")
    assert copy is not None

    assert Identity(copy).writer != original.writer
    assert Identity(directory, host="elsewhere").writer != original.writer
    assert caplog.text.count("was copied here from elsewhere") == 2
    copy.release()
    directory.release()


def test_what_cannot_be_written_down_is_not_reserved(tmp_path: Path) -> None:
    directory = Directory.create(tmp_path)
    identity = Identity(directory)
    (directory.path / "writer.new").mkdir()

    with pytest.raises(IsADirectoryError):
        identity.reserve(1)

    assert identity.reserved == 0
    directory.release()
