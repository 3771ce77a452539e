"""Debian's PostgreSQL and pgbouncer, started privately for tests; the machine's own are left alone."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

from bmn.pg.place import choose_place
from bmn.pg.server import Server

BINARIES = Path("/usr/lib/postgresql/15/bin")
PGBOUNCER = Path("/usr/sbin/pgbouncer")
_PORT = 6432  # part of the socket's name only
_START_SECONDS = 30.0


@contextmanager
def postgres_15() -> Iterator[str]:
    """Yield the address of a new PostgreSQL 15; its superuser is `bmn`.

    Raises:
        FileNotFoundError: the package postgresql-15 is not installed.
    """
    if not (BINARIES / "initdb").exists():
        raise FileNotFoundError("install Debian's package postgresql (15)")
    home = Path(tempfile.mkdtemp(prefix=f"bmn-test-{os.getpid()}-", dir="/tmp"))
    home.chmod(0o755)  # the server may run as another user
    server = Server(replace(choose_place(home), binaries=BINARIES))
    try:
        yield server.join()
    finally:
        server.leave()
        shutil.rmtree(home)


@contextmanager
def pgbouncer(server: str, *, users: Sequence[str] = ("bmn",), size: int = 4, options: str = "") -> Iterator[str]:
    """Yield the address of a pgbouncer in transaction mode before `server`, for each database `size` connections.

    Raises:
        FileNotFoundError: the package pgbouncer is not installed.
    """
    if not PGBOUNCER.exists():
        raise FileNotFoundError("install Debian's package pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix=f"bmn-bouncer-{os.getpid()}-", dir="/tmp"))
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None  # it refuses to run as root
    target = parse_qs(urlsplit(server).query)
    (folder / "users.txt").write_text("".join(f'"{user}" ""\n' for user in users))
    (folder / "pgbouncer.ini").write_text(
        f"""
[databases]
* = host={target["host"][0]} port={target["port"][0]}
[pgbouncer]
listen_port = {_PORT}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 200
server_idle_timeout = 5
{options}
"""
    )
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [PGBOUNCER, folder / "pgbouncer.ini"],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        user=None if account is None else account.pw_uid,
        group=None if account is None else account.pw_gid,
        extra_groups=None if account is None else [],
    )
    log.close()
    try:
        _await_socket(folder, process)
        yield urlunsplit(urlsplit(server)._replace(query=f"host={folder}&port={_PORT}"))
    finally:
        process.send_signal(signal.SIGTERM)  # at once, without waiting for its clients
        process.wait(_START_SECONDS)
        shutil.rmtree(folder)


def _await_socket(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            if probe.connect_ex(str(folder / f".s.PGSQL.{_PORT}")) == 0:
                return
    raise RuntimeError(f"pgbouncer does not start: {(folder / 'log').read_text(errors='replace')[-500:]}")
