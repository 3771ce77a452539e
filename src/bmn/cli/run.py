"""`bmn run`."""

import asyncio
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from bmn.cli.running import COMMON, Common, read_settings, run_command

if TYPE_CHECKING:
    from bmn.app import Role
    from bmn.config.settings import Settings

RoleName = Literal["indexer", "resolver", "api"]


def run(
    *,
    roles: Annotated[
        tuple[RoleName, ...] | None, Parameter(help="What this process does; all of it by default.", negative="")
    ] = None,
    common: Common = COMMON,
) -> None:
    """Run until stopped; Ctrl-C and SIGTERM stop it cleanly. Any number of processes may share one database.

    Log lines go to standard error, as JSON with --json.
    """
    from bmn.app import Role

    settings = read_settings(common)
    wanted = list(Role) if roles is None else [Role(name) for name in roles]
    run_command(_serve(settings, wanted), common, log_level="info")


async def _serve(settings: "Settings", roles: "Sequence[Role]") -> None:
    from bmn.app import run_roles

    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    assert this is not None
    terminated = asyncio.Event()

    def stop() -> None:
        terminated.set()
        this.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        await run_roles(settings, roles)
    except asyncio.CancelledError:
        if not terminated.is_set():
            raise
