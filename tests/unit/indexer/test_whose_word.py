"""Which events count as facts, one rule at a time."""

from dataclasses import replace

import pytest
from tests.support.escrow_news import CONTRACTS, SECRETS, STRANGER, SWAPS, dst_escrow, place, src_escrow
from tests.support.swap_values import COMPLEMENT

from bmn.bindings.escrow_logs import (
    DstLocked,
    EscrowCancelled,
    EscrowWithdrawal,
    Event,
    OrderFilled,
    SrcEscrowCreated,
    Transfer,
)
from bmn.core.units import Address, TokenAmount
from bmn.indexer.classify import Decoded, News, classify

SWAP, OTHER = SWAPS[0], SWAPS[1]
CREATED = SrcEscrowCreated(immutables=SWAP, complement=COMPLEMENT)
KNOWN = frozenset({SWAP.hashlock})


def sort_out(*told: tuple[Address, Event]) -> News:
    decoded = []
    for index, (emitter, event) in enumerate(told):
        assert not isinstance(event, Transfer)
        decoded.append(Decoded(place=place(index), emitter=emitter, event=event))
    return classify(decoded, contracts=CONTRACTS, known=KNOWN, escrows={})


def test_a_source_escrow_is_where_its_immutables_say() -> None:
    news = sort_out((CONTRACTS.factory, CREATED))
    (escrow,) = news.escrows
    assert escrow.address == src_escrow(SWAP) == news.events[0].escrow


def test_a_lock_whose_escrow_is_elsewhere_is_foreign() -> None:
    lie = DstLocked(hashlock=SWAP.hashlock, escrow=STRANGER, immutables=SWAP)
    news = sort_out((CONTRACTS.resolver, lie))
    assert news.escrows == ()
    assert news.events[0].is_foreign


def test_a_lock_whose_hashlock_is_not_that_of_its_immutables_is_foreign() -> None:
    lie = DstLocked(hashlock=SWAP.hashlock, escrow=dst_escrow(OTHER), immutables=OTHER)
    news = sort_out((CONTRACTS.resolver, lie))
    assert news.escrows == ()
    assert news.events[0].is_foreign


@pytest.mark.parametrize("emitter", [CONTRACTS.resolver, STRANGER])
def test_nobody_but_the_factory_creates_source_escrows(emitter: Address) -> None:
    news = sort_out((emitter, CREATED))
    assert news.escrows == ()
    assert news.events[0].is_foreign


def test_an_ending_counts_from_its_escrow_and_only_after_its_creation() -> None:
    escrow = src_escrow(SWAP)
    after = sort_out((CONTRACTS.factory, CREATED), (escrow, EscrowCancelled()))
    assert (after.events[1].hashlock, after.events[1].order_hash) == (SWAP.hashlock, SWAP.order_hash)
    before = sort_out((escrow, EscrowCancelled()), (CONTRACTS.factory, CREATED))
    assert len(before.events) == 1
    assert len(before.strangers) == 1


def test_an_escrow_that_tells_the_secret_of_another_swap_is_not_withdrawn() -> None:
    told = EscrowWithdrawal(secret=SECRETS[1])
    news = sort_out((CONTRACTS.factory, CREATED), (src_escrow(SWAP), told))
    assert len(news.events) == 1
    assert len(news.strangers) == 1


def test_a_fill_counts_from_the_order_protocol_alone() -> None:
    filled = OrderFilled(order_hash=SWAP.order_hash, remaining=TokenAmount(0))
    assert not sort_out((CONTRACTS.limit_order_protocol, filled)).events[0].is_foreign
    assert sort_out((STRANGER, filled)).events == ()


def test_an_escrow_of_a_swap_that_is_not_ours_is_a_fact_all_the_same() -> None:
    news = sort_out((CONTRACTS.factory, replace(CREATED, immutables=OTHER)))
    assert not news.events[0].is_foreign
    assert len(news.escrows) == 1
