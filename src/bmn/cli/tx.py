"""`bmn tx`."""

from cyclopts import App

from bmn.cli.running import COMMON, Common, answer, columns, read_settings, run_command
from bmn.cli.swap import SwapName, check_name, find_swap

app = App(name="tx", help="Transactions of the resolver.")


@app.command(name="list", help_epilogue="Example: bmn tx list 0x1f…")
def list_(name: SwapName, /, *, common: Common = COMMON) -> None:
    """List every transaction signed for a swap, replaced ones too."""
    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.pg.pool import connection
    from bmn.store.txs import StoredTx, load_swap_txs

    check_name(name)
    settings = read_settings(common)

    async def work() -> list[StoredTx]:
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            return await load_swap_txs(conn, (await find_swap(conn, name)).hashlock)

    document = as_document(run_command(work(), common))
    assert isinstance(document, list)
    head = list(document[0]) if document else []
    rows = [[row[name] for name in head] for row in document]
    answer(document, columns(head, rows, empty="no transactions"), common)
