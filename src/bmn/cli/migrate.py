"""`bmn migrate`."""

from bmn.cli.running import COMMON, Common, answer, read_settings, run_command


def migrate(*, common: Common = COMMON) -> None:
    """Bring the database to the shape this program needs; does nothing when it has it.

    A database of our own is also brought there by `bmn run`.
    """
    from bmn.app import LOCATIONS, open_dsn
    from bmn.pg.migrate import upgrade

    settings = read_settings(common)

    async def work() -> list[str]:
        async with open_dsn(settings) as (_, direct):
            return await upgrade(direct, LOCATIONS)

    applied = run_command(work(), common)
    answer({"applied": applied}, [f"applied {name}" for name in applied] or ["nothing to do"], common)
