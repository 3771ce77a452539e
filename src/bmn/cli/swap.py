"""`bmn swap`."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from bmn.cli.running import COMMON, Common, answer, columns, read_settings, run_command

if TYPE_CHECKING:
    from bmn.pg.pool import Connection
    from bmn.resolver.view import Explanation, SwapView

SwapName = Annotated[str, Parameter(help="Its order hash or its hashlock.")]

app = App(name="swap", help="Swaps of the resolver.")


@app.command(name="list", help_epilogue="Example: bmn swap list --state AWAIT_SECRET")
def list_(
    *,
    state: Annotated[str | None, Parameter(help="Only swaps in this state.")] = None,
    limit: Annotated[int, Parameter(help="At most so many.")] = 50,
    common: Common = COMMON,
) -> None:
    """List swaps, newest first."""
    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.core.errors import BadInput
    from bmn.core.swap import State
    from bmn.pg.pool import connection
    from bmn.resolver.view import list_views

    try:
        wanted = None if state is None else State(state.upper())
    except ValueError:
        known = ", ".join(one.value for one in State)
        raise BadInput("UNKNOWN_STATE", f"there is no state {state!r:.40}", hint=f"choose one of {known}") from None
    settings = read_settings(common)

    async def work() -> "list[SwapView]":
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            return await list_views(conn, wanted, limit)

    found = run_command(work(), common)
    rows = [(one.order_hash, one.state.value, one.reason, f"{one.src_chain} to {one.dst_chain}") for one in found]
    answer(as_document(found), columns(["order", "state", "reason", "chains"], rows, empty="no swaps yet"), common)


@app.command(help_epilogue="Example: bmn swap show 0x1f…")
def show(name: SwapName, /, *, common: Common = COMMON) -> None:
    """Show one swap: its escrows and our transactions."""
    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.pg.pool import connection

    settings = read_settings(common)

    async def work() -> "SwapView":
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            return await _find(conn, name)

    found = run_command(work(), common)
    answer(as_document(found), _describe(found), common)


@app.command(help_epilogue="Example: bmn swap explain 0x1f… --json")
def explain(name: SwapName, /, *, common: Common = COMMON) -> None:
    """Decide a swap again from the facts of this moment, without recording anything, and say why."""
    import asyncio

    from bmn.app import build_resolver_deps, open_base, open_sealer
    from bmn.cli.documents import as_document
    from bmn.cli.explaining import explain_lines
    from bmn.pg.pool import connection
    from bmn.pg.wake import Wake
    from bmn.resolver.view import explain_swap

    settings = read_settings(common)

    async def work() -> "tuple[SwapView, Explanation | None]":
        async with open_base(settings) as base, connection(base.pool) as conn:
            view = await _find(conn, name)
            sealer = await asyncio.to_thread(open_sealer, settings)
            deps = build_resolver_deps(base, sealer, Wake())
            return view, await explain_swap(conn, view.hashlock, deps)

    view, found = run_command(work(), common)
    assert found is not None, "a swap and its order are stored together"
    decision = found.decision
    foreign = [
        {
            "code": "FOREIGN_FACTORY",
            "chain": event.chain_id,
            "kind": event.kind.value,
            "emitter": str(event.emitter),
            "block": event.block_number,
            "transaction": str(event.tx_hash),
        }
        for event in found.foreign
    ]
    document = {
        "order_hash": str(view.order_hash),
        "hashlock": str(view.hashlock),
        "stored_state": view.state.value,
        "decision": as_document(decision),
        "facts": as_document(found.gathered.facts),
        "times": as_document(found.gathered.now),
        "foreign": foreign,
    }
    answer(document, explain_lines(found), common)


async def _find(conn: "Connection", name: str) -> "SwapView":
    from bmn.core.errors import NotFound
    from bmn.core.units import Hashlock, OrderHash
    from bmn.resolver.view import load_view
    from bmn.store.swaps import load_swap

    view = await load_view(conn, OrderHash.from_hex(name))
    if view is None:
        swap = await load_swap(conn, Hashlock.from_hex(name))
        view = None if swap is None else await load_view(conn, swap.order_hash)
    if view is None:
        raise NotFound("SWAP_UNKNOWN", f"no swap has order hash or hashlock {name}", hint="see: bmn swap list")
    return view


def _describe(view: "SwapView") -> list[str]:
    lines = [
        f"order     {view.order_hash}",
        f"hashlock  {view.hashlock}",
        f"state     {view.state.value} ({view.reason})",
        f"chains    {view.src_chain} to {view.dst_chain}",
        f"src       {view.src_escrow.address if view.src_escrow else '-'}",
        f"dst       {view.dst_escrow.address if view.dst_escrow else '-'}",
        "",
    ]
    rows = [(one.step, one.chain, one.state, one.block, one.gas, one.hash) for one in view.transactions]
    head = ["step", "chain", "state", "block", "gas", "transaction"]
    return lines + columns(head, rows, empty="no transactions yet")
