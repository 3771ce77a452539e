"""Events of a real chain become rows: ours as facts, foreign ones as evidence, strangers as numbers."""

from itertools import count

from tests.support.index_rig import IndexRig
from tests.support.swap_on_chain import MAKER, OPERATOR, SwapOnChain, chain_now, make_swap, must, send

from bmn.bindings import escrow_logs, order_protocol_calls, resolver_calls
from bmn.core.chain import Contracts
from bmn.core.escrow_address import escrow_address
from bmn.core.immutables import encode_complement, encode_immutables
from bmn.core.units import Address, UnixTime
from bmn.core.windows import Side
from bmn.core.words import encode_address
from bmn.messages import CRITICAL, EXECUTION
from bmn.pg.pool import connection
from bmn.store.journal import (
    EventKind,
    StoredEvent,
    load_escrows,
    load_events,
    load_order_events,
    load_public_secret,
    load_spent_nonces,
    load_strangers,
)

_numbers = count(1)

# Emits its calldata as a log: the first word is the topic, the rest the data.
_FORGER = Address(bytes.fromhex("f0" * 20))
_FORGER_CODE = "0x60203603602060003760003560203603" + "6000a100"


async def a_swap(rig: IndexRig) -> SwapOnChain:
    return await make_swap(rig.dev, next(_numbers))


async def forge(rig: IndexRig, topic: bytes, data: bytes) -> None:
    """Emit an event as a contract of nobody."""
    await rig.dev.anvil.rpc("anvil_setCode", str(_FORGER), _FORGER_CODE)
    await must(rig.dev.anvil, OPERATOR, _FORGER, topic + data)


def src_address(contracts: Contracts, swap: SwapOnChain, at: UnixTime) -> Address:
    return escrow_address(
        factory=contracts.factory, implementation=contracts.src_implementation, immutables=swap.src(at)
    )


async def events_of(rig: IndexRig, swap: SwapOnChain) -> list[StoredEvent]:
    async with connection(rig.pool) as conn:
        return await load_events(conn, swap.secret.hashlock)


async def test_a_whole_swap_is_in_the_journal(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    filled = await swap.fill()
    locked = await swap.lock()
    await swap.pay(locked)
    await swap.claim(filled)
    await rig.read()
    contracts = rig.spec.contracts
    async with connection(rig.pool) as conn:
        src, dst = await load_escrows(conn, swap.secret.hashlock)
        assert await load_public_secret(conn, swap.secret.hashlock) == swap.secret
        order_events = await load_order_events(conn, swap.order_hash)
    assert (src.side, src.immutables, src.complement) == (Side.SRC, swap.src(filled), swap.complement)
    assert src.address == src_address(contracts, swap, filled)
    assert (dst.side, dst.immutables, dst.complement) == (Side.DST, swap.dst(locked), None)
    events = await events_of(rig, swap)
    assert [(event.kind, event.escrow) for event in events] == [
        (EventKind.SRC_ESCROW_CREATED, src.address),
        (EventKind.DST_ESCROW_CREATED, dst.address),
        (EventKind.DST_LOCKED, dst.address),
        (EventKind.ESCROW_WITHDRAWAL, dst.address),
        (EventKind.ESCROW_WITHDRAWAL, src.address),
    ]
    assert not any(event.is_foreign for event in events)
    assert EventKind.ORDER_FILLED in {event.kind for event in order_events}
    assert "secret" not in repr(events).lower()


async def test_news_wakes_the_swap_and_a_secret_wakes_it_urgently(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    name = str(swap.secret.hashlock)
    await rig.read()
    assert await rig.woken() == set()
    await swap.fill()
    await rig.read()
    assert await rig.woken() == {(EXECUTION, name)}
    locked = await swap.lock()
    await rig.read()
    await rig.woken()
    await swap.pay(locked)
    await rig.read()
    assert (CRITICAL, name) in await rig.woken()


async def test_a_swap_is_woken_when_its_row_becomes_final_and_not_before(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    await swap.fill()
    await rig.read()
    created = (await rig.head()).number
    await rig.woken()
    await rig.dev.anvil.mine(rig.spec.depth - 1)
    await rig.read()
    assert await rig.woken() == set()
    assert (await rig.head()).final_number == created - 1
    await rig.dev.anvil.mine()
    await rig.read()
    assert await rig.woken() == {("orders:execution", str(swap.secret.hashlock))}
    assert (await rig.head()).final_number == created


async def test_a_swap_is_woken_at_the_second_it_asked_for_and_once(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    await rig.dev.anvil.mine(3)
    await rig.read()
    due = await chain_now(rig.dev.anvil) + 50
    await rig.rows("UPDATE swaps SET wake_src = $1", due)
    await rig.dev.anvil.set_next_timestamp(UnixTime(due - 1))
    await rig.dev.anvil.mine()
    await rig.read()
    assert await rig.woken() == set()
    await rig.dev.anvil.set_next_timestamp(UnixTime(due))
    await rig.dev.anvil.mine()
    await rig.read()
    assert await rig.woken() == {("orders:execution", str(swap.secret.hashlock))}
    await rig.dev.anvil.mine()
    await rig.read()
    assert await rig.woken() == set()


async def test_an_escrow_made_and_emptied_in_one_block_is_found(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    anvil, resolver = rig.dev.anvil, rig.spec.contracts.resolver
    born = UnixTime(await chain_now(anvil) + 5)
    await anvil.set_automine(on=False)
    try:
        await anvil.set_next_timestamp(born)
        await send(anvil, OPERATOR, resolver, swap.lock_calldata())
        await send(anvil, OPERATOR, resolver, resolver_calls.build_withdraw_dst(swap.secret, swap.dst(born)))
        await anvil.mine()
    finally:
        await anvil.set_automine(on=True)
    await rig.read()
    events = await events_of(rig, swap)
    assert [event.kind for event in events][-2:] == [EventKind.DST_LOCKED, EventKind.ESCROW_WITHDRAWAL]
    assert len({event.block_number for event in events}) == 1
    assert not events[-1].is_foreign


async def test_a_forged_creation_naming_our_hashlock_is_evidence_and_never_an_escrow(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    data = encode_immutables(swap.src(UnixTime(1))) + encode_complement(swap.complement)
    await forge(rig, escrow_logs.SRC_ESCROW_CREATED, data)
    await rig.read()
    (event,) = await events_of(rig, swap)
    assert (event.kind, event.emitter, event.is_foreign) == (EventKind.SRC_ESCROW_CREATED, _FORGER, True)
    async with connection(rig.pool) as conn:
        assert await load_escrows(conn, swap.secret.hashlock) == []


async def test_another_order_that_names_our_hashlock_makes_no_escrow_of_our_swap(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    copy = await make_swap(rig.dev, next(_numbers), secret=swap.secret)
    await copy.fill()
    await rig.read()
    async with connection(rig.pool) as conn:
        assert await load_escrows(conn, swap.secret.hashlock) == []
    filled = await swap.fill()
    await rig.read()
    async with connection(rig.pool) as conn:
        (escrow,) = await load_escrows(conn, swap.secret.hashlock)
    assert escrow.immutables == swap.src(filled)


async def test_a_stranger_is_only_counted(rig: IndexRig) -> None:
    swap = await a_swap(rig)  # not accepted: its hashlock is nobody's
    data = encode_immutables(swap.src(UnixTime(1))) + encode_complement(swap.complement)
    await forge(rig, escrow_logs.SRC_ESCROW_CREATED, data)
    await forge(rig, escrow_logs.ESCROW_CANCELLED, b"")
    await forge(rig, escrow_logs.ESCROW_CANCELLED, b"")
    await rig.read()
    assert await rig.journal() == []
    async with connection(rig.pool) as conn:
        assert await load_strangers(conn, rig.spec.id) == {"escrow_cancelled": 2, "src_escrow_created": 1}


async def test_a_secret_told_by_anybody_is_public(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    await forge(rig, escrow_logs.ESCROW_WITHDRAWAL, swap.secret.reveal())
    await rig.read()
    (event,) = await events_of(rig, swap)
    assert event.is_foreign
    async with connection(rig.pool) as conn:
        assert await load_public_secret(conn, swap.secret.hashlock) == swap.secret
    assert (CRITICAL, str(swap.secret.hashlock)) in await rig.woken()


async def test_a_wrong_secret_of_a_stranger_is_not_the_secret(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    await forge(rig, escrow_logs.ESCROW_WITHDRAWAL, bytes(31) + b"\xff")
    await rig.read()
    async with connection(rig.pool) as conn:
        assert await load_public_secret(conn, swap.secret.hashlock) is None
    assert await rig.journal() == []


async def test_a_makers_cancellation_wakes_his_swaps(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    calldata = order_protocol_calls.build_cancel_order(swap.order.maker_traits, swap.order_hash)
    await must(rig.dev.anvil, MAKER, rig.spec.contracts.limit_order_protocol, calldata)
    await rig.read()
    async with connection(rig.pool) as conn:
        (event,) = await load_spent_nonces(conn, rig.spec.id, MAKER)
    assert event.kind is EventKind.BIT_INVALIDATED
    assert set(event.body) == {"slot", "mask"}
    assert await rig.woken() == {("orders:execution", str(swap.secret.hashlock))}


async def test_a_lock_that_our_resolver_did_not_make_is_no_escrow_of_ours(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    words = encode_address(_FORGER) + swap.secret.hashlock + encode_address(rig.spec.contracts.resolver)
    await forge(rig, escrow_logs.DST_ESCROW_CREATED, words)
    await rig.read()
    (event,) = await events_of(rig, swap)
    assert event.is_foreign
    assert event.kind is EventKind.DST_ESCROW_CREATED
