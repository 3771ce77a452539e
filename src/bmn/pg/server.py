"""One PostgreSQL server shared by all processes of a home: the first starts it, the last one out stops it.

Three lock files in the base folder decide everything, and the kernel frees them when a process is killed:

- `start.lock`: exclusive while somebody starts or stops the server; held for moments.
- `users.lock`: shared by every process that uses the server.
- `server.lock`: exclusive; inherited by the server, its children and initdb, so it is free exactly when all of them are
  gone. No process id can tell that: ids are reused, and zombies keep them.

All functions block; call them in a thread.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from bmn.core.errors import ConfigError
from bmn.pg.filelock import open_owned, try_exclusive, try_shared
from bmn.pg.place import Place
from bmn.pg.waiting import wait_until

_SUPERUSER = "bmn"
_PORT = 5432  # part of the socket's name only; the server listens on no network
_START_SECONDS = 300.0  # recovery after a crash of the machine can take long
_TURN_SECONDS = 360.0
_STOP_SECONDS = 30.0
_SOCKET_PATH_MAX = 100  # the kernel's limit is 107 bytes, 103 on macOS
_OPTIONS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_parallel_workers_per_gather": "0",  # containers often have 64 MB of /dev/shm
    "idle_in_transaction_session_timeout": "60s",  # a forgotten transaction stops vacuum, and then the queue
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",  # a statement may hold what must not be logged
}


class Server:
    """The server of one place, from the view of one process."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._users: int | None = None

    def join(self) -> str:
        """Use the server, starting it if nobody has; return its address.

        Raises:
            ConfigError: it does not start; the text ends with what the server said.
        """
        with self._turn():
            users = open_owned(self._place.base / "users.lock")
            if not try_shared(users):
                os.close(users)
                raise ConfigError("DATABASE_BUSY", f"somebody holds {self._place.base}/users.lock for itself")
            self._users = users
            folder = self._ensure()
        return f"postgresql://{_SUPERUSER}@/postgres?host={quote(str(folder), safe='')}&port={_PORT}"

    def revive(self) -> None:
        """Start the server again if it is gone, by whatever hand. Only between `join` and `leave`."""
        with self._turn():
            self._ensure()

    def leave(self) -> None:
        """Stop using the server; the last process out stops it. Harmless without a `join`."""
        if self._users is None:
            return
        with self._turn():
            users, self._users = self._users, None
            try:
                if try_exclusive(users):
                    self._stop()
            finally:
                os.close(users)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        lock = open_owned(self._place.base / "start.lock")
        try:
            if not wait_until(lambda: try_exclusive(lock), _TURN_SECONDS):
                raise ConfigError(
                    "DATABASE_BUSY", f"another process has been starting or stopping the database in {self._place.base}"
                )
            yield
        finally:
            os.close(lock)

    def _ensure(self) -> Path:
        place = self._place
        started = False

        def settled() -> bool:
            nonlocal started
            lock = open_owned(place.base / "server.lock")
            try:
                if not try_exclusive(lock):
                    return _answers(place)
                if started:
                    return True  # it ended again; told apart below
                if not place.data.exists():
                    _initdb(place, lock)
                _start(place, lock)
                started = True
                return False
            finally:
                os.close(lock)

        if not wait_until(settled, _START_SECONDS) or not _answers(place):
            raise ConfigError(
                "DATABASE_START",
                f"PostgreSQL in {place.base} does not start; its log ends: {_tail(place.log)}",
                hint=f"read {place.log}",
            )
        return _socket_folder(place)

    def _stop(self) -> None:
        place = self._place
        lock = open_owned(place.base / "server.lock")
        try:
            for kind in (signal.SIGINT, signal.SIGQUIT):  # fast shutdown, then immediate: recovery mends that
                if try_exclusive(lock):
                    return
                # Only a server that answers wrote the pid file; after a crash the number may be somebody else's.
                if _answers(place):
                    os.kill(_postmaster(place)[0], kind)
                if wait_until(lambda: try_exclusive(lock), _STOP_SECONDS):
                    return
        finally:
            os.close(lock)


def _initdb(place: Place, lock: int) -> None:
    """Make the data directory, whole or not at all. It holds `lock` even when we are killed, so nobody disturbs it."""
    partial = place.base / "data.partial"
    if partial.exists():
        shutil.rmtree(partial)
    _make_private(partial, place)
    command: list[str | Path] = [
        place.binaries / "initdb",
        "-D",
        partial,
        "-U",
        _SUPERUSER,
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    options = ["--locale=C", "--data-checksums", "--no-instructions"]
    done = subprocess.run(  # noqa: S603 - our own binary and constant options
        [*command, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        cwd="/",
        env=_environment(),
        umask=0o077,
        pass_fds=(lock,),
        user=place.uid,
        group=place.gid,
        extra_groups=place.groups,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-500:]
        raise ConfigError(
            "DATABASE_START", f"initdb failed in {place.base}: {said}", hint="see BMN_HOME and free space"
        )
    partial.rename(place.data)


def _start(place: Place, lock: int) -> None:
    folder = _socket_folder(place)
    _make_safe(folder, place)
    for pid_file in (place.data / "postmaster.pid", Path(f"{_socket(folder)}.lock")):
        _forget_stale_pid(pid_file)
    options = [part for name, value in _OPTIONS.items() for part in ("-c", f"{name}={value}")]
    place.log.unlink(missing_ok=True)
    log = open_owned(place.log)
    try:
        child = subprocess.Popen(  # noqa: S603 - our own binary and constant options
            [place.binaries / "postgres", "-D", place.data, "-c", f"unix_socket_directories={folder}", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=_environment(),
            umask=0o077,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C in our terminal is for us; we decide when the server goes
            user=place.uid,
            group=place.gid,
            extra_groups=place.groups,
        )
    finally:
        os.close(log)
    # Reaps the child whenever it ends; others may need it longer than we do.
    threading.Thread(target=child.wait, name="reap-postgres", daemon=True).start()


def _environment() -> dict[str, str]:
    """Nothing of ours: our environment may hold keys, and the server outlives us."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _make_private(folder: Path, place: Place) -> None:
    folder.mkdir(mode=0o700)
    if place.uid is not None and place.gid is not None:
        os.chown(folder, place.uid, place.gid)


def _socket_folder(place: Place) -> Path:
    """Return the private folder of the socket: in the base, or, where that path is too long, a fixed one in /tmp."""
    folder = place.base / "run"
    if len(os.fsencode(_socket(folder))) > _SOCKET_PATH_MAX:
        with (place.data / "global" / "pg_control").open("rb") as control:
            identifier = control.read(8)  # the cluster's own: a home made anew gets another folder
        digest = sha256(os.fsencode(place.base) + identifier).hexdigest()[:16]
        folder = Path("/tmp") / f"bmn-pg-{digest}"  # noqa: S108 - see _make_safe
    return folder


def _make_safe(folder: Path, place: Place) -> None:
    """Make the folder of the socket if it is missing; refuse one that is not the server's own."""
    if not os.path.lexists(folder):
        _make_private(folder, place)
    found = folder.lstat()
    owner = os.geteuid() if place.uid is None else place.uid
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise ConfigError("DATABASE_HOME", f"{folder} is not a folder that only the user of the database may enter")


def _socket(folder: Path) -> Path:
    return folder / f".s.PGSQL.{_PORT}"


def _postmaster(place: Place) -> tuple[int, str]:
    """Return process id and status from the server's own pid file; (0, "") when there is none yet.

    Source: PostgreSQL, pidfile.h: pid, data directory, start time, port, socket folder, address, memory, status.
    """
    try:
        lines = (place.data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return 0, ""
    return (int(lines[0]), lines[7].strip()) if len(lines) >= 8 else (0, "")


def _answers(place: Place) -> bool:
    """Whether the server listens and takes connections."""
    if _postmaster(place)[1] != "ready":
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(_socket(_socket_folder(place))))
        except OSError:
            return False
    return True


def _forget_stale_pid(path: Path) -> None:
    """Remove a pid file whose number is a zombie or a stranger by now, which PostgreSQL itself takes for a server.

    We hold `server.lock`, so no server of ours lives. A live process named postgres is left for PostgreSQL to judge.
    """
    try:
        pid = int(path.read_text().split("\n", 1)[0])
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (OSError, ValueError):
        return  # no pid file, no such process, or no /proc: PostgreSQL judges
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    if fields.get("Name") != "postgres" or fields.get("State", "")[:1] in {"Z", "X"}:
        path.unlink(missing_ok=True)


def _tail(log: Path) -> str:
    try:
        return log.read_text(errors="replace").strip()[-500:]
    except OSError:
        return "(no log)"
