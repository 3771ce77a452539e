"""`bmn swap`."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from bmn.cli.running import COMMON, ROW_NUMBER, ROWS, Common, answer, columns, read_settings, run_command

if TYPE_CHECKING:
    from bmn.core.swap import State
    from bmn.pg.pool import Connection
    from bmn.resolver.view import Explanation, SwapView
    from bmn.store.history import SwapEvent
    from bmn.store.swaps import DueSwap

SwapName = Annotated[str, Parameter(help="Its order hash or its hashlock.")]

app = App(name="swap", help="Swaps of the resolver.")


@app.command(name="list", help_epilogue="Example: bmn swap list --state AWAIT_SECRET")
def list_(
    *,
    state: Annotated[str | None, Parameter(help="Only swaps in this state.")] = None,
    maker: Annotated[str | None, Parameter(help="Only swaps of this address.")] = None,
    open_: Annotated[bool, Parameter(name="--open", negative="", help="Only swaps that go on.")] = False,
    due: Annotated[str | None, Parameter(help="Only swaps with a deadline on this chain, soonest first.")] = None,
    limit: Annotated[int, Parameter(help="At most so many.", validator=ROWS)] = 50,
    below: Annotated[
        int | None, Parameter(help="Go on below this number, the last of the page before.", validator=ROW_NUMBER)
    ] = None,
    common: Common = COMMON,
) -> None:
    """List swaps, newest first."""
    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.core.errors import BadInput
    from bmn.core.units import Address
    from bmn.pg.pool import connection
    from bmn.resolver.view import view_swaps
    from bmn.store import swaps

    if sum((state is not None, maker is not None, open_, due is not None)) > 1:
        raise BadInput("USAGE", "--state, --maker, --open and --due do not go together", hint="choose one of them")
    if due is not None and below is not None:
        raise BadInput("USAGE", "--due and --below do not go together", hint="ask for more with --limit")
    in_state = None if state is None else _parse_state(state)
    of_maker = None if maker is None else Address.from_hex(maker)
    settings = read_settings(common)
    if due is not None:
        _list_due(due, limit, common)
        return

    async def work() -> "list[SwapView]":
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            if in_state is not None:
                found = await swaps.load_swaps_in(conn, in_state, limit=limit, below=below)
            elif of_maker is not None:
                found = await swaps.load_swaps_of(conn, of_maker, limit=limit, below=below)
            elif open_:
                found = await swaps.load_open_swaps(conn, limit=limit, below=below)
            else:
                found = await swaps.load_swaps(conn, limit=limit, below=below)
            return await view_swaps(conn, found)

    found = run_command(work(), common)
    rows = [(one.number, one.order_hash, one.state.value, one.reason, _chains(one)) for one in found]
    head = ["number", "order", "state", "reason", "chains"]
    answer(as_document(found), columns(head, rows, empty="no such swaps"), common)


@app.command(help_epilogue="Example: bmn swap show 0x1f…")
def show(name: SwapName, /, *, common: Common = COMMON) -> None:
    """Show one swap: its escrows and our transactions."""
    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.pg.pool import connection

    check_name(name)
    settings = read_settings(common)

    async def work() -> "SwapView":
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            return await find_swap(conn, name)

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

    check_name(name)
    settings = read_settings(common)

    async def work() -> "tuple[SwapView, Explanation | None]":
        async with open_base(settings) as base, connection(base.pool) as conn:
            view = await find_swap(conn, name)
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


@app.command(help_epilogue="Example: bmn swap history 0x1f…")
def history(name: SwapName, /, *, common: Common = COMMON) -> None:
    """Show every change of a swap, and check that together they lead to where it stands."""
    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.pg.pool import transaction
    from bmn.store.history import find_fault, load_history
    from bmn.store.swaps import load_swap

    check_name(name)
    settings = read_settings(common)

    async def work() -> "tuple[SwapView, list[SwapEvent], str | None]":
        async with open_store(settings) as (_, pool), transaction(pool) as conn:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            view = await find_swap(conn, name)
            swap, events = await load_swap(conn, view.hashlock), await load_history(conn, view.hashlock)
            assert swap is not None, "it was just found"
            return view, events, find_fault(swap, events)

    view, events, fault = run_command(work(), common)
    document = {
        "order_hash": str(view.order_hash),
        "hashlock": str(view.hashlock),
        "events": as_document(events),
        "fault": fault,
    }
    rows = [
        (one.version, one.at.isoformat(timespec="milliseconds"), one.after.value, one.reason, one.actor)
        for one in events
    ]
    head = ["version", "at", "state", "reason", "actor"]
    verdict = f"BROKEN: {fault}" if fault else "whole: leads to where the swap stands"
    answer(document, [*columns(head, rows, empty="no history"), "", verdict], common)


@app.command(help_epilogue="Example: bmn swap watch --json")
def watch(
    *,
    after: Annotated[
        int | None, Parameter(help="Begin after the event of this number; else with what comes.", validator=ROW_NUMBER)
    ] = None,
    common: Common = COMMON,
) -> None:
    """Print what happens to swaps, one line each, until interrupted."""
    import msgspec

    from bmn.api.event_routes import show_event
    from bmn.app import open_store
    from bmn.pg.beside import running
    from bmn.pg.wake import Wake, run_wake
    from bmn.seams import SystemClock
    from bmn.store.feed import SecretRevealed, name_of, watch_swaps

    settings = read_settings(common)

    async def work() -> None:
        wake, clock = Wake(), SystemClock()
        async with (
            open_store(settings) as (dsn, pool),
            running(run_wake(dsn, wake, clock)),
            watch_swaps(pool, wake, clock, after=after) as events,
        ):
            async for event in events:
                body = show_event(event)
                moment = event.at.isoformat(timespec="milliseconds")
                what = f"on chain {event.chain_id or '-'}" if isinstance(event, SecretRevealed) else event.state.value
                line = f"{event.number}  {moment}  {event.order_hash}  {name_of(event)}  {what}"
                answer({"number": event.number} | msgspec.to_builtins(body), [line], common)

    run_command(work(), common)


def check_name(name: str) -> None:
    """Refuse what no swap can be called, before anything is opened.

    Raises:
        BadInput: as `OrderHash.from_hex`.
    """
    from bmn.core.errors import BadInput
    from bmn.core.units import OrderHash

    try:
        OrderHash.from_hex(name)
    except BadInput as error:
        raise BadInput(
            error.code,
            f"{name!r:.80} is neither an order hash nor a hashlock",
            hint="either has 32 bytes, in 0x-hex; see: bmn swap list",
        ) from error


async def find_swap(conn: "Connection", name: str) -> "SwapView":
    """Return the swap of an order hash or a hashlock.

    Raises:
        NotFound: `SWAP_UNKNOWN`.
    """
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


def _list_due(chain: str, limit: int, common: Common) -> None:
    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.core.errors import NotFound
    from bmn.core.units import ChainId
    from bmn.pg.pool import connection
    from bmn.store.swaps import load_swaps_due

    settings = read_settings(common)
    if chain not in settings.chains:
        known = ", ".join(settings.chains) or "none"
        raise NotFound("CHAIN_UNKNOWN", f"no chain {chain!r:.40} is configured", hint=f"choose one of {known}")

    async def work() -> "list[DueSwap]":
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            return await load_swaps_due(conn, ChainId(settings.chains[chain].id), limit=limit)

    found = run_command(work(), common)
    rows = [(due.due_at, due.swap.order_hash, due.swap.state.value, due.swap.reason) for due in found]
    head = [f"{chain} time", "order", "state", "reason"]
    answer(as_document(found), columns(head, rows, empty="no swap has a deadline there"), common)


def _parse_state(text: str) -> "State":
    from bmn.core.errors import BadInput
    from bmn.core.swap import State

    try:
        return State(text.upper())
    except ValueError:
        known = ", ".join(one.value for one in State)
        raise BadInput("UNKNOWN_STATE", f"there is no state {text!r:.40}", hint=f"choose one of {known}") from None


def _chains(view: "SwapView") -> str:
    return f"{view.src_chain} to {view.dst_chain}"


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
