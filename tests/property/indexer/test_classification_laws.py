"""Laws of sorting events: nothing is lost, nothing foreign becomes a fact, and cutting a run changes nothing."""

from hypothesis import given
from hypothesis import strategies as st
from tests.support.escrow_news import CONTRACTS, KNOWN, RUNS, STRANGER

from bmn.core.units import Address, Hashlock, OrderHash
from bmn.core.windows import Side
from bmn.indexer.classify import Decoded, News, classify
from bmn.store.journal import EventKind

_CREATIONS = (EventKind.SRC_ESCROW_CREATED, EventKind.DST_ESCROW_CREATED, EventKind.DST_LOCKED)


def sort_out(run: list[Decoded], known: frozenset[Hashlock]) -> News:
    return classify(run, contracts=CONTRACTS, known=known, escrows={})


@given(RUNS, KNOWN)
def test_every_event_is_either_stored_or_counted(run: list[Decoded], known: frozenset[Hashlock]) -> None:
    news = sort_out(run, known)
    assert len(news.events) + len(news.strangers) == len(run)
    assert [event.place.log_index for event in news.events] == sorted(event.place.log_index for event in news.events)


@given(RUNS, KNOWN)
def test_what_is_foreign_names_a_known_hashlock(run: list[Decoded], known: frozenset[Hashlock]) -> None:
    for event in sort_out(run, known).events:
        if event.is_foreign:
            assert event.hashlock in known


@given(RUNS, KNOWN)
def test_a_fact_is_told_by_a_contract_of_ours(run: list[Decoded], known: frozenset[Hashlock]) -> None:
    news = sort_out(run, known)
    ours = {CONTRACTS.factory, CONTRACTS.resolver, CONTRACTS.limit_order_protocol, CONTRACTS.access_token}
    ours |= {escrow.address for escrow in news.escrows}
    ours |= {
        event.escrow
        for event in news.events
        if event.kind is EventKind.DST_ESCROW_CREATED and not event.is_foreign and event.escrow is not None
    }
    for event in news.events:
        assert event.is_foreign or event.emitter in ours
        assert event.emitter != STRANGER or event.is_foreign


@given(RUNS, KNOWN)
def test_an_escrow_comes_only_from_the_factory_or_our_resolver(run: list[Decoded], known: frozenset[Hashlock]) -> None:
    told = {one.place: one.emitter for one in run}
    for escrow in sort_out(run, known).escrows:
        teller = CONTRACTS.factory if escrow.side is Side.SRC else CONTRACTS.resolver
        assert told[escrow.place] == teller
        assert (escrow.complement is not None) == (escrow.side is Side.SRC)


@given(RUNS, KNOWN)
def test_a_stored_secret_opens_its_hashlock(run: list[Decoded], known: frozenset[Hashlock]) -> None:
    for event in sort_out(run, known).events:
        assert (event.secret is not None) == (event.kind is EventKind.ESCROW_WITHDRAWAL)
        assert event.secret is None or event.secret.hashlock == event.hashlock


@given(RUNS, KNOWN, st.integers(0, 20))
def test_reading_in_two_runs_gives_the_same_as_in_one(run: list[Decoded], known: frozenset[Hashlock], cut: int) -> None:
    whole, first = sort_out(run, known), sort_out(run[:cut], known)
    stored: dict[Address, tuple[Hashlock, OrderHash | None]] = {}
    for event in first.events:
        if event.kind in _CREATIONS and not event.is_foreign:
            assert event.escrow is not None
            assert event.hashlock is not None
            if event.order_hash is not None:
                stored[event.escrow] = (event.hashlock, event.order_hash)
            stored.setdefault(event.escrow, (event.hashlock, None))
    second = classify(run[cut:], contracts=CONTRACTS, known=known, escrows=stored)
    assert first.events + second.events == whole.events
    assert first.escrows + second.escrows == whole.escrows
    assert first.strangers + second.strangers == whole.strangers
