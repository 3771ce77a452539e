"""`bmn run`."""

from typing import Annotated, Literal

from cyclopts import Parameter

from bmn.cli.running import COMMON, Common, read_settings, run_command

RoleName = Literal["indexer", "resolver", "api", "cron"]


def run(
    *,
    roles: Annotated[
        tuple[RoleName, ...] | None,
        Parameter(help="What this process does; all of it by default.", negative="", consume_multiple=True),
    ] = None,
    common: Common = COMMON,
) -> None:
    """Run until stopped; Ctrl-C and SIGTERM stop it cleanly. Any number of processes may share one database.

    Log lines go to standard error, as JSON with --json.
    """
    from bmn.app import Role, run_roles

    settings = read_settings(common)
    wanted = list(Role) if roles is None else [Role(name) for name in roles]
    run_command(run_roles(settings, wanted), common, log_level="info", terminated=0)
