"""`bmn migrate`."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bmn.cli.running import COMMON, Common, answer, read_settings, run_command

if TYPE_CHECKING:
    from bmn.config.settings import Settings
    from bmn.pg.migrate import Revision


def migrate(
    *,
    plan: Annotated[bool, Parameter(negative="", help="Only show what would be done.")] = False,
    grant_roles: Annotated[
        bool,
        Parameter(negative="", help="Also create the database roles bmn_migrate, bmn_app, … and set their rights."),
    ] = False,
    common: Common = COMMON,
) -> None:
    """Bring the database to the shape this program needs; does nothing when it has it.

    A database of our own is also brought there by `bmn run`. Where our roles exist, they get their rights on what is
    new. A table that a long transaction holds is waited for, at most a minute and without blocking others for long.
    """
    settings = read_settings(common)
    if plan:
        planned = run_command(_plan(settings), common)
        steps = [{"name": revision.name, "summary": revision.summary} for revision in planned]
        lines = [f"would apply {revision.name}: {revision.summary}" for revision in planned]
        answer({"planned": steps}, lines or ["nothing to do"], common)
        return
    applied, rights = run_command(_migrate(settings, grant_roles=grant_roles), common)
    lines = [*(f"applied {name}" for name in applied), *rights]
    answer({"applied": applied, "rights": rights}, lines or ["nothing to do"], common)


async def _plan(settings: "Settings") -> "list[Revision]":
    from bmn.app import LOCATIONS, open_dsn
    from bmn.pg.migrate import plan

    async with open_dsn(settings) as (_, direct):
        return await plan(direct, LOCATIONS)


async def _migrate(settings: "Settings", *, grant_roles: bool) -> tuple[list[str], list[str]]:
    from bmn.app import LOCATIONS, open_dsn
    from bmn.pg.migrate import upgrade
    from bmn.pg.roles import create_roles, refresh_grants
    from bmn.store.grants import OWNER, ROLES

    async with open_dsn(settings) as (_, direct):
        applied = await upgrade(direct, LOCATIONS)
        set_rights = create_roles if grant_roles else refresh_grants
        return applied, await set_rights(direct, OWNER, ROLES)
