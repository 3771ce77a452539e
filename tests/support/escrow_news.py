"""Hypothesis strategies for what an indexer decodes: few emitters and hashlocks, so that they meet."""

from dataclasses import replace

from hypothesis import strategies as st
from tests.support.swap_values import COMPLEMENT, IMMUTABLES, an_address

from bmn.bindings.escrow_logs import (
    BitInvalidatorUpdated,
    DstEscrowCreated,
    DstLocked,
    EscrowCancelled,
    EscrowWithdrawal,
    FundsRescued,
    OrderCancelled,
    OrderFilled,
    SrcEscrowCreated,
    Transfer,
)
from bmn.core.chain import Contracts
from bmn.core.escrow_address import escrow_address
from bmn.core.immutables import Immutables
from bmn.core.units import (
    Address,
    BlockHash,
    BlockNumber,
    OrderHash,
    Seconds,
    Secret,
    TokenAmount,
    TxHash,
    UnixTime,
)
from bmn.indexer.classify import Decoded
from bmn.store.journal import Place

CONTRACTS = Contracts(
    factory=an_address(101),
    src_implementation=an_address(102),
    dst_implementation=an_address(103),
    limit_order_protocol=an_address(104),
    resolver=an_address(105),
    access_token=an_address(106),
    noop_token=an_address(107),
    rescue_delay_src=Seconds(1),
    rescue_delay_dst=Seconds(1),
)
SECRETS = tuple(Secret(bytes(31) + bytes((number,))) for number in range(3))
SWAPS = tuple(replace(IMMUTABLES, hashlock=secret.hashlock) for secret in SECRETS)
STRANGER = an_address(200)


def src_escrow(immutables: Immutables) -> Address:
    return escrow_address(factory=CONTRACTS.factory, implementation=CONTRACTS.src_implementation, immutables=immutables)


def dst_escrow(immutables: Immutables) -> Address:
    return escrow_address(factory=CONTRACTS.factory, implementation=CONTRACTS.dst_implementation, immutables=immutables)


EMITTERS = st.sampled_from(
    [
        CONTRACTS.factory,
        CONTRACTS.resolver,
        CONTRACTS.limit_order_protocol,
        CONTRACTS.access_token,
        STRANGER,
        *map(src_escrow, SWAPS),
        *map(dst_escrow, SWAPS),
    ]
)
_SWAP = st.sampled_from(SWAPS)
_LOCKED = _SWAP.map(
    lambda swap: DstLocked(hashlock=swap.hashlock, escrow=dst_escrow(swap), immutables=swap)
) | st.builds(DstLocked, hashlock=_SWAP.map(lambda swap: swap.hashlock), escrow=_SWAP.map(dst_escrow), immutables=_SWAP)
EVENTS = st.one_of(
    st.builds(SrcEscrowCreated, immutables=_SWAP, complement=st.just(COMPLEMENT)),
    st.builds(
        DstEscrowCreated,
        escrow=_SWAP.map(dst_escrow),
        hashlock=_SWAP.map(lambda swap: swap.hashlock),
        taker=st.just(STRANGER),
    ),
    _LOCKED,
    st.builds(EscrowWithdrawal, secret=st.sampled_from(SECRETS)),
    st.just(EscrowCancelled()),
    st.just(FundsRescued(token=STRANGER, amount=TokenAmount(1))),
    st.just(OrderFilled(order_hash=IMMUTABLES.order_hash, remaining=TokenAmount(0))),
    st.just(OrderCancelled(order_hash=OrderHash(bytes(32)))),
    st.just(BitInvalidatorUpdated(maker=STRANGER, slot=1, mask=2)),
    st.just(Transfer(sender=STRANGER, receiver=CONTRACTS.resolver, amount=TokenAmount(3))),
)


def place(log_index: int) -> Place:
    return Place(
        block_number=BlockNumber(7),
        block_hash=BlockHash(bytes(32)),
        block_time=UnixTime(1),
        tx_hash=TxHash(bytes(32)),
        log_index=log_index,
    )


RUNS: st.SearchStrategy[list[Decoded]] = st.lists(st.tuples(EMITTERS, EVENTS), max_size=20).map(
    lambda pairs: [
        Decoded(place=place(index), emitter=emitter, event=event) for index, (emitter, event) in enumerate(pairs)
    ]
)
"""The decoded logs of one block."""
KNOWN = st.frozensets(st.sampled_from([secret.hashlock for secret in SECRETS]))
"""Hashlocks of accepted orders."""
