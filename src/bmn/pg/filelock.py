"""File locks of the kernel: they need no cleaning up, because a killed process loses them."""

import errno
import fcntl
import os
from pathlib import Path


def open_owned(path: Path) -> int:
    """Open (or make) a private file for locks or logs; return its descriptor.

    The file belongs to the owner of its folder, so that a first run as root does not lock that owner out.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    folder = path.parent.stat()
    if os.fstat(descriptor).st_uid != folder.st_uid:
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def try_exclusive(descriptor: int) -> bool:
    """Whether the lock is now ours alone; does not wait. A shared lock of ours is given up by a failed try."""
    return _try(descriptor, fcntl.LOCK_EX)


def try_shared(descriptor: int) -> bool:
    """Whether we now share the lock; does not wait."""
    return _try(descriptor, fcntl.LOCK_SH)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise
    return True
