"""`bmn indexer`."""

from cyclopts import App

from bmn.cli.running import COMMON, Common, answer, columns, read_settings, run_command

app = App(name="indexer", help="The journal of the chains.")


@app.command(help_epilogue="Example: bmn indexer status --json")
def status(*, common: Common = COMMON) -> None:
    """Show how far each chain was read, and how many events of strangers were counted."""
    import time

    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.config.build import build_specs
    from bmn.indexer import ChainStatus, indexer_status
    from bmn.pg.pool import connection

    settings = read_settings(common)
    specs = build_specs(settings)

    async def work() -> list[ChainStatus]:
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            return await indexer_status(conn, specs.values(), now=time.time())

    found = run_command(work(), common)
    rows = [
        (
            one.name,
            one.number,
            one.final_number,
            None if one.behind_seconds is None else f"{one.behind_seconds:.1f} s",
            sum(one.strangers.values()),
            one.halted or "no",
        )
        for one in found
    ]
    head = ["chain", "block", "final", "behind", "strangers", "halted"]
    answer(as_document(found), columns(head, rows, empty="no chains"), common)
