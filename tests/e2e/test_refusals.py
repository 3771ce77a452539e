"""What strangers and bad orders try: forged events, foreign escrows, stolen deposits, thin windows. We never lock."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.stack import (
    AMOUNT,
    DEPOSIT,
    MAKER,
    STRANGER,
    Stack,
    mined,
    open_stack,
    read_holdings,
    receipt_of,
    until,
)
from tests.support.swap_on_chain import send

from bmn.bindings import escrow_logs, factory_calls, resolver_calls, token_calls
from bmn.bindings.artifacts import load_artifact
from bmn.core.errors import NotFound, Refused
from bmn.core.immutables import DstComplement, Immutables, dst_immutables, encode_complement, encode_immutables
from bmn.core.signed_order import SwapTerms, parse_swap_terms
from bmn.core.timelocks import Timelocks
from bmn.core.traits import TakerArgs, encode_taker_args, pack_taker_traits, taker_traits_for
from bmn.core.units import NATIVE, Address, Seconds, TokenAmount, UnixTime, Wei
from bmn.devnet.world import OPERATOR_KEYS, OWNER_KEY
from bmn.evm.devkeys import DEV_ADDRESSES
from bmn.maker.vault import MakerOrder
from bmn.store.journal import EventKind

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWNER = DEV_ADDRESSES[OWNER_KEY]
LATER = UnixTime(2**40)
UNBORN = UnixTime(0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> AsyncIterator[Stack]:
    """One world for all stories of this file; each has an order of its own."""
    home: Path = tmp_path_factory.mktemp("world")
    async with open_stack(home, postgres, inclusion=10) as world:
        for chain in world.net.chains:
            gift = token_calls.build_transfer(STRANGER, TokenAmount(1_000 * AMOUNT))
            await mined(chain.anvil, OWNER, chain.contracts.access_token, gift)
        await world.start()
        yield world


def terms_of(stack: Stack, order: MakerOrder) -> SwapTerms:
    return parse_swap_terms(order.signed, stack.spec(stack.src).domain)


def src_immutables(stack: Stack, order: MakerOrder, taker: Address) -> Immutables:
    terms = terms_of(stack, order)
    return Immutables(
        order_hash=terms.order_hash,
        hashlock=terms.hashlock,
        maker=terms.maker,
        taker=taker,
        token=terms.src_token,
        amount=terms.making_amount,
        safety_deposit=terms.src_deposit,
        timelocks=terms.timelocks.deployed(UNBORN),
    )


def complement(stack: Stack, order: MakerOrder) -> DstComplement:
    terms = terms_of(stack, order)
    return DstComplement(
        maker=terms.receiver,
        amount=terms.taking_amount,
        token=terms.dst_token,
        safety_deposit=terms.dst_deposit,
        chain_id=terms.dst_chain,
    )


def announcer(topic: bytes, data: bytes) -> bytes:
    """Creation code of a contract that tells one event while it is made."""
    size = len(data).to_bytes(2, "big")
    head = b"\x61" + size + b"\x60\x32\x5f\x39" + b"\x7f" + topic + b"\x61" + size + b"\x5f\xa1\x00"
    return head.ljust(0x32, b"\x00") + data


async def nothing_was_sent(stack: Stack, order: MakerOrder) -> None:
    assert await stack.lock_of(order.hashlock) is None
    assert await stack.locks(order.hashlock) == 0


async def refund(stack: Stack, order: MakerOrder) -> None:
    """Move time until the source is given back."""
    await stack.pass_time(stack.timelocks().src_cancellation)
    await stack.reach(order, "REFUNDED")


# Events.


async def test_a_forged_creation_naming_a_known_hashlock_is_shown_as_foreign_and_changes_nothing(stack: Stack) -> None:
    order = await stack.submit_order()
    stranger_taker = replace(src_immutables(stack, order, STRANGER), amount=TokenAmount(AMOUNT * 2))
    data = encode_immutables(stranger_taker) + encode_complement(complement(stack, order))
    forger = await mined(stack.src.anvil, STRANGER, None, announcer(escrow_logs.SRC_ESCROW_CREATED, data))
    status = await stack.settle(order)

    explained = await stack.explain(order)
    assert [(event.kind, str(event.emitter).lower()) for event in explained.foreign] == [
        (EventKind.SRC_ESCROW_CREATED, forger.lower())
    ]
    src = explained.gathered.facts.src
    assert src is not None
    assert (src.immutables.taker, src.immutables.amount) == (stack.src.contracts.resolver, AMOUNT)
    assert status.src_escrow is not None
    assert status.src_escrow.address == str(src.address)
    assert await stack.locks(order.hashlock) == 1


async def lock_as_a_stranger(stack: Stack, order: MakerOrder, amount: TokenAmount) -> None:
    """Make a destination escrow with our taker and this hashlock through the real factory."""
    chain, contracts = stack.dst, stack.dst.contracts
    approval = token_calls.build_approve(contracts.factory, TokenAmount(2**255))
    await mined(chain.anvil, STRANGER, contracts.access_token, approval)
    ours = dst_immutables(
        src_immutables(stack, order, contracts.resolver),
        complement(stack, order),
        taker=contracts.resolver,
        deployed_at=UNBORN,
    )
    call = factory_calls.build_create_dst_escrow(replace(ours, amount=amount), LATER)
    await mined(chain.anvil, STRANGER, contracts.factory, call, value=DEPOSIT)


@pytest.mark.parametrize("amount", [TokenAmount(0), TokenAmount(1), AMOUNT])
async def test_a_strangers_escrow_before_our_lock_does_not_stop_the_swap(stack: Stack, amount: TokenAmount) -> None:
    order = await stack.make_order()
    await lock_as_a_stranger(stack, order, amount)
    await stack.client.submit_order(order.signed)
    await stack.settle(order)
    lock = await stack.lock_of(order.hashlock)
    assert lock is not None
    assert (await stack.locks(order.hashlock), await stack.created(order.hashlock)) == (1, 2)


async def test_a_strangers_escrow_after_our_lock_does_not_stop_the_swap(stack: Stack) -> None:
    order = await stack.submit_order()
    status = await stack.reach(order, "DST_LIVE", "AWAIT_SECRET")
    await lock_as_a_stranger(stack, order, TokenAmount(0))
    settled = await stack.settle(order)
    assert settled.dst_escrow is not None
    assert status.dst_escrow is not None
    assert settled.dst_escrow.address == status.dst_escrow.address
    assert (await stack.locks(order.hashlock), await stack.created(order.hashlock)) == (1, 2)


# Source escrows that we must not lock against.


async def test_no_lock_when_the_deposit_is_gone_after_the_fill(stack: Stack) -> None:
    order = await stack.submit_order()
    status = await stack.reach(order, "SRC_LIVE")
    assert status.src_escrow is not None
    escrow = Address.from_hex(status.src_escrow.address)
    await stack.src.anvil.set_balance(escrow, Wei(DEPOSIT - 1))
    status = await stack.reach(order, "ABORT")
    assert status.reason == "DEPOSIT_MISSING"
    await nothing_was_sent(stack, order)

    # Too late to lock now; the deposit is put back, for a cancellation pays it out.
    await stack.pass_time(stack.timelocks().src_cancellation)
    await stack.src.anvil.set_balance(escrow, DEPOSIT)
    status = await stack.reach(order, "REFUNDED")
    assert [step.step for step in status.transactions] == ["fill", "cancel_src"]
    await nothing_was_sent(stack, order)


async def test_no_lock_when_somebody_else_filled_the_order(stack: Stack) -> None:
    chain, contracts = stack.src, stack.src.contracts
    order = await stack.make_order()
    arguments = b"".join(
        bytes(12) + account for account in (contracts.limit_order_protocol, contracts.factory, STRANGER, STRANGER)
    )
    made = await mined(chain.anvil, STRANGER, None, load_artifact("Resolver").bytecode + arguments)
    other = Address.from_hex(made.lower())
    await mined(chain.anvil, STRANGER, other, resolver_calls.build_set_operator(STRANGER, allowed=True))
    await mined(chain.anvil, STRANGER, other, value=10**18)
    limit = resolver_calls.TokenLimit(per_lock=TokenAmount(2**100), per_hour=TokenAmount(0))
    for token in (NATIVE, contracts.access_token):
        await mined(chain.anvil, STRANGER, other, resolver_calls.build_set_limit(token, limit))
    gift = token_calls.build_transfer(other, AMOUNT)
    await mined(chain.anvil, STRANGER, contracts.access_token, gift)
    args = TakerArgs(extension=order.signed.extension)
    traits = taker_traits_for(args, is_making_amount=True, threshold=terms_of(stack, order).taking_amount)
    call = resolver_calls.build_deploy_src(
        immutables=src_immutables(stack, order, other),
        order=order.order,
        signature=order.signed.signature,
        amount=AMOUNT,
        taker_traits=pack_taker_traits(traits),
        args=encode_taker_args(args),
        not_after=LATER,
    )
    # Both want to fill; the stranger's comes first into the next block.
    await chain.anvil.set_interval(0)
    sent = await send(chain.anvil, STRANGER, other, call)
    await stack.client.submit_order(order.signed)
    await chain.anvil.set_interval(1)
    await receipt_of(chain.anvil, sent)
    await stack.reach(order, "ORDER_GONE")

    async def is_named() -> bool:
        return (await stack.status(order)).reason == "WRONG_TAKER"

    # Our own fill may fail before the journal has the block that says why.
    await until(is_named, "the reason is the other's fill", seconds=10)
    explained = await stack.explain(order)
    assert explained.gathered.facts.src is None
    await nothing_was_sent(stack, order)
    await stack.no_nonce_is_stuck()


# Orders that are turned down at once.


def two_seconds_to_claim(locks: Timelocks) -> Timelocks:
    return replace(
        locks,
        src_withdrawal=Seconds(locks.src_cancellation - 2),
        src_public_withdrawal=Seconds(locks.src_cancellation - 1),
    )


def one_second_too_thin(stack: Stack) -> Timelocks:
    margins, locks = stack.margins, stack.timelocks()
    least = locks.dst_cancellation + margins.fill_to_lock + margins.required
    return replace(locks, src_cancellation=Seconds(least - 1))


@pytest.mark.parametrize(
    ("timelocks", "code"),
    [
        (one_second_too_thin, "MARGIN_TOO_THIN"),
        (lambda stack: two_seconds_to_claim(stack.timelocks()), "MARGIN_TOO_THIN"),
        (
            lambda stack: replace(stack.timelocks(), dst_withdrawal=Seconds(stack.margins.dst.finality - 1)),
            "DST_WITHDRAWAL_TOO_EARLY",
        ),
    ],
    ids=["thin_margin", "two_seconds_to_claim", "early_dst_withdrawal"],
)
async def test_bad_windows_are_refused_with_their_own_code(
    stack: Stack, timelocks: Callable[[Stack], Timelocks], code: str
) -> None:
    await is_refused(stack, await stack.make_order(timelocks=timelocks(stack)), code)


async def test_a_token_off_the_list_is_refused(stack: Stack) -> None:
    await is_refused(stack, await stack.make_order(dst_token=stack.dst.contracts.noop_token), "TOKEN_NOT_LISTED")


async def is_refused(stack: Stack, order: MakerOrder, code: str) -> None:
    signed_for = [await stack.highest_stored_nonce(stack.src, DEV_ADDRESSES[key]) for key in OPERATOR_KEYS]
    had = await read_holdings(stack.src, [MAKER])
    with pytest.raises(Refused) as refused:
        await stack.client.submit_order(order.signed)
    assert refused.value.code == code
    with pytest.raises(NotFound):
        await stack.status(order)
    await nothing_was_sent(stack, order)
    assert signed_for == [await stack.highest_stored_nonce(stack.src, DEV_ADDRESSES[key]) for key in OPERATOR_KEYS]
    assert await read_holdings(stack.src, [MAKER]) == had
