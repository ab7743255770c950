from __future__ import annotations

from pathlib import Path

import pytest

from copilot_analytics.stores import _filesystems
from copilot_analytics.stores._filesystems import network_filesystem, network_filesystem_in

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/ada/local ext4 rw 0 0
server:/x /mnt/with\\040space cifs rw 0 0
sshfs /mnt/ssh fuse.sshfs rw 0 0
/dev/vdc /mnt/twice nfs rw 0 0
/dev/vdd /mnt/twice ext4 rw 0 0
folder /mnt/host 9p rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/var/analytics.db", None),
        ("/home/ada/analytics.db", "nfs4"),
        ("/home", "nfs4"),
        ("/home/ada/local/analytics.db", None),
        ("/homes/analytics.db", None),
        ("/mnt/with space/a.db", "cifs"),
        ("/mnt/ssh/a.db", "fuse.sshfs"),
        ("/mnt/twice/a.db", None),
        ("/mnt/host/a.db", None),
    ],
)
def test_the_deepest_and_latest_mount_holds_a_path(path: str, found: str | None) -> None:
    assert network_filesystem_in(MOUNTS, path) == found


def test_nothing_is_known_without_mounts() -> None:
    assert network_filesystem_in("", "/a.db") is None


def test_a_windows_share_is_a_network() -> None:
    assert network_filesystem(Path(r"\\server\share\analytics.db")) == "smb"


def test_nothing_is_known_where_the_kernel_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_filesystems, "_MOUNTS", tmp_path / "missing")
    assert network_filesystem(tmp_path) is None


def test_the_place_of_this_test_is_local(tmp_path: Path) -> None:
    assert network_filesystem(tmp_path) is None
