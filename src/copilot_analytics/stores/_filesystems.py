"""Which file systems are another machine's: SQLite's locks and shared memory do not work there."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["network_filesystem", "network_filesystem_in"]

_NETWORK = frozenset(
    {
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fuse.blobfuse",
        "fuse.blobfuse2",
        "fuse.ceph",
        "fuse.ceph-fuse",
        "fuse.davfs2",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.goofys",
        "fuse.juicefs",
        "fuse.mount-s3",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb2",
        "smb3",
        "smbfs",
    }
)
"""As the kernel names them. Plain `9p` is not among them: virtual machines share folders of their
own host by it."""

_MOUNTS = Path("/proc/self/mounts")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def network_filesystem(path: Path) -> str | None:
    """Return the name of the network file system that a path is on; None if it is on none.

    Only Linux and Windows shares can be told; elsewhere the answer is None.
    """
    if str(path).startswith("\\\\"):
        return "smb"
    try:
        mounts = _MOUNTS.read_text(errors="surrogateescape")
        place = path.resolve()
    except OSError:
        return None
    return network_filesystem_in(mounts, place.as_posix())


def network_filesystem_in(mounts: str, path: str) -> str | None:
    """Return the network file system of an absolute path, by the text of `/proc/mounts`."""
    length, found = 0, ""
    for line in mounts.splitlines():
        fields = line.split(" ", 3)
        if len(fields) < 4:
            continue
        point = _ESCAPE.sub(lambda code: chr(int(code[1], 8)), fields[1]).rstrip("/")
        # The deepest mount holds the path; of two at one point the later hides the earlier.
        if len(point) >= length and (path == point or path.startswith(f"{point}/")):
            length, found = len(point), fields[2]
    return found if found in _NETWORK else None
