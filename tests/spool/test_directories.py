from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_analytics.spool.directories import Directory

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def lock(path: Path) -> Directory:
    directory = Directory.lock(path)
    assert directory is not None
    return directory


def test_a_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    directory = Directory.create(tmp_path)

    assert Directory.lock(directory.path) is None
    assert list(Directory.unlocked(tmp_path)) == []
    directory.release()
    directory.release()

    (again,) = Directory.unlocked(tmp_path)
    assert (again.path, again.inode) == (directory.path, directory.inode)
    again.release()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from copilot_analytics.spool.directories import Directory
directory = Directory.create(Path(sys.argv[1]))
print(flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (path,) = tmp_path.iterdir()
        assert Directory.lock(path) is None
        process.kill()
    lock(path).release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_releases_leaves_its_parent_the_lock(tmp_path: Path) -> None:
    directory = Directory.create(tmp_path)
    if (pid := os.fork()) == 0:
        directory.release()
        os._exit(0 if Directory.lock(directory.path) is None else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert Directory.lock(directory.path) is None
    directory.release()


def test_a_removed_directory_is_gone_and_unlocked(tmp_path: Path) -> None:
    directory = Directory.create(tmp_path)
    (directory.path / "file").write_text("something")

    directory.remove()

    assert not directory.path.exists()
    assert Directory.lock(directory.path) is None


def test_a_lock_file_that_was_replaced_is_not_the_lock(tmp_path: Path) -> None:
    directory = Directory.create(tmp_path)
    old = (directory.path / "lock").rename(tmp_path / "lock")
    again = lock(directory.path)

    assert again.inode != directory.inode
    assert old.stat().st_ino == directory.inode
    again.release()
    directory.release()


def test_files_beside_the_directories_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("memory://")
    directory = Directory.create(tmp_path)
    directory.release()

    found = [each.path for each in Directory.unlocked(tmp_path)]

    assert found == [directory.path]


def test_directories_and_locks_are_for_their_owner_alone(tmp_path: Path) -> None:
    directory = Directory.create(tmp_path)

    assert directory.path.stat().st_mode & 0o777 == 0o700
    assert (directory.path / "lock").stat().st_mode & 0o777 == 0o600
    directory.release()


def test_a_copy_has_another_inode(tmp_path: Path) -> None:
    directory = Directory.create(tmp_path)
    shutil.copytree(directory.path, tmp_path / "copy")

    copy = lock(tmp_path / "copy")

    assert copy.inode != directory.inode
    copy.release()
    directory.release()


def test_a_directory_that_cannot_be_locked_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system without locks."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)

    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
        Directory.create(tmp_path)
    assert list(tmp_path.iterdir()) == []
