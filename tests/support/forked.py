"""Running a piece of a test as another user."""

import os
import pickle
import pwd
import signal
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def plain_user() -> tuple[int, int]:
    """User and group id of somebody who is not root: nobody, or ourselves."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def as_plain_user(work: Callable[[], T]) -> T:
    """Return what `work` returns in a child process of that user; modules must be loaded before."""
    uid, gid = plain_user()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
            os.write(writer, pickle.dumps(work()))
        except BaseException as failure:  # noqa: BLE001 - handed to the parent
            os.write(writer, pickle.dumps(RuntimeError(repr(failure))))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)  # no exit handlers of the test runner
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    result = pickle.loads(answer)
    if isinstance(result, RuntimeError):
        raise result
    return result  # type: ignore[no-any-return]  # pickled by the child from a T
