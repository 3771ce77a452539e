"""May the secret leave? Each condition alone turns the answer, at the very second or unit."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.api_values import CONTRACTS, DST, SIGNED, SPECS, SRC
from tests.support.swap_values import BORN, ESCROW_ORDER, TAKER, an_address

from bmn.core.escrow_address import clone_code, escrow_address
from bmn.core.escrow_order import build_escrow_order
from bmn.core.immutables import DstComplement, Immutables, dst_immutables
from bmn.core.margins import ChainTiming, Margins
from bmn.core.signed_order import SignedOrder, parse_swap_terms
from bmn.core.timelocks import Stage
from bmn.core.units import NATIVE, BlockNumber, Hashlock, OrderHash, Seconds, TokenAmount, UnixTime, Wei
from bmn.maker.evidence import (
    ChainNow,
    EscrowEvidence,
    Evidence,
    NotYet,
    Unsafe,
    Verdict,
    Verified,
    VerifyRules,
    judge_evidence,
)

DAY = 86_400
TIMING = ChainTiming(block_time=Seconds(1), depth=2, inclusion=Seconds(5), outage=Seconds(0))
MARGINS = Margins(
    src=TIMING,
    dst=TIMING,
    detect=Seconds(1),
    recovery=Seconds(1),
    skew=Seconds(3),
    min_reveal=Seconds(1),
    max_lock=Seconds(10_000),
)
_EXTRA = ESCROW_ORDER.post_interaction.extra
ESCROWS = replace(
    ESCROW_ORDER,
    post_interaction=replace(ESCROW_ORDER.post_interaction, extra=replace(_EXTRA, dst_chain_id=DST)),
)
ORDER, EXTENSION = build_escrow_order(ESCROWS)
TERMS = parse_swap_terms(
    SignedOrder(src_chain=SRC, order=ORDER, extension=EXTENSION, signature=SIGNED.signature), SPECS[SRC].domain
)
RULES = VerifyRules(src=SPECS[SRC], dst=SPECS[DST], margins=MARGINS)

SRC_IMMUTABLES = Immutables(
    order_hash=TERMS.order_hash,
    hashlock=TERMS.hashlock,
    maker=TERMS.maker,
    taker=TAKER,
    token=TERMS.src_token,
    amount=TERMS.making_amount,
    safety_deposit=TERMS.src_deposit,
    timelocks=TERMS.timelocks.deployed(BORN),
)
COMPLEMENT = DstComplement(
    maker=TERMS.receiver,
    amount=TERMS.taking_amount,
    token=TERMS.dst_token,
    safety_deposit=TERMS.dst_deposit,
    chain_id=DST,
)
DST_BORN = UnixTime(BORN + 4)
DST_ENDS = DST_BORN + TERMS.timelocks.dst_cancellation


def src_escrow(immutables: Immutables = SRC_IMMUTABLES, **change: Any) -> EscrowEvidence:
    implementation = CONTRACTS.src_implementation
    found = EscrowEvidence(
        address=escrow_address(factory=CONTRACTS.factory, implementation=implementation, immutables=immutables),
        immutables=immutables,
        block=BlockNumber(100),
        block_time=immutables.timelocks.deployed_at,
        code=clone_code(implementation),
        token_balance=immutables.amount,
        native_balance=immutables.safety_deposit,
        rescue_delay=CONTRACTS.rescue_delay_src,
    )
    return replace(found, **change)


def dst_escrow(
    src: Immutables = SRC_IMMUTABLES, complement: DstComplement = COMPLEMENT, born: UnixTime = DST_BORN, **change: Any
) -> EscrowEvidence:
    immutables = dst_immutables(src, complement, taker=TAKER, deployed_at=born)
    implementation = CONTRACTS.dst_implementation
    is_native = immutables.token == NATIVE
    found = EscrowEvidence(
        address=escrow_address(factory=CONTRACTS.factory, implementation=implementation, immutables=immutables),
        immutables=immutables,
        block=BlockNumber(200),
        block_time=born,
        code=clone_code(implementation),
        token_balance=immutables.amount,
        native_balance=Wei(immutables.safety_deposit + (immutables.amount if is_native else 0)),
        rescue_delay=CONTRACTS.rescue_delay_dst,
    )
    return replace(found, **change)


GOOD = Evidence(
    src=src_escrow(),
    complement=COMPLEMENT,
    is_reused=False,
    dst=dst_escrow(),
    src_now=ChainNow(head=BlockNumber(102), latest=UnixTime(BORN + 6)),
    dst_now=ChainNow(head=BlockNumber(202), latest=UnixTime(BORN + 6)),
)


def judge(rules: VerifyRules = RULES, **change: Any) -> Verdict:
    return judge_evidence(TERMS, replace(GOOD, **change), rules)


def code_of(verdict: Verdict) -> str:
    match verdict:
        case Unsafe():
            return verdict.code
        case NotYet():
            return verdict.reason
        case Verified():
            return "VERIFIED"


def test_two_right_escrows_are_verified_and_say_until_when() -> None:
    verdict = judge()
    assert isinstance(verdict, Verified)
    assert verdict.reveal_before == DST_ENDS - RULES.reveal_budget


def test_nothing_seen_is_a_reason_to_wait() -> None:
    assert code_of(judge(src=None, complement=None, dst=None)) == "SRC_NOT_FOUND"
    assert code_of(judge(dst=None)) == "DST_NOT_FOUND"


@pytest.mark.parametrize(("head", "code"), [(101, "SRC_NOT_FINAL"), (102, "VERIFIED"), (103, "VERIFIED")])
def test_the_source_counts_from_its_depth(head: int, code: str) -> None:
    assert code_of(judge(src_now=ChainNow(head=BlockNumber(head), latest=UnixTime(BORN + 6)))) == code


@pytest.mark.parametrize(("head", "code"), [(201, "DST_NOT_FINAL"), (202, "VERIFIED"), (203, "VERIFIED")])
def test_the_destination_counts_from_its_depth(head: int, code: str) -> None:
    assert code_of(judge(dst_now=ChainNow(head=BlockNumber(head), latest=UnixTime(BORN + 6)))) == code


@pytest.mark.parametrize(("left", "code"), [(0, "TOO_LATE"), (1, "VERIFIED")])
@pytest.mark.parametrize("by_self", [False, True])
def test_time_left_must_exceed_the_budget(by_self: bool, left: int, code: str) -> None:
    rules = replace(RULES, by_self=by_self)
    latest = UnixTime(DST_ENDS - rules.reveal_budget - left)
    assert code_of(judge(rules, dst_now=ChainNow(head=BlockNumber(202), latest=latest))) == code


def test_the_shared_budget_covers_the_resolver_and_the_own_fallback() -> None:
    assert RULES.reveal_budget == 2 * 5 + 2 + 2 * 5
    assert replace(RULES, by_self=True).reveal_budget == 5


@pytest.mark.parametrize(("gap", "code"), [(2, "MARGIN_TOO_THIN"), (3, "VERIFIED")])
def test_the_cancellations_keep_their_distance(gap: int, code: str) -> None:
    born = UnixTime(BORN + TERMS.timelocks.src_cancellation - TERMS.timelocks.dst_cancellation - gap)
    assert code_of(judge(dst=dst_escrow(born=born))) == code


@pytest.mark.parametrize(("delta", "code"), [(-1, "RESCUE_TOO_EARLY"), (0, "VERIFIED")])
def test_neither_escrow_can_be_swept_within_a_day_of_its_windows(delta: int, code: str) -> None:
    locks = TERMS.timelocks
    src_delay = Seconds(locks.offset(Stage.SRC_PUBLIC_CANCELLATION) + DAY + delta)
    dst_delay = Seconds(locks.offset(Stage.DST_CANCELLATION) + DAY + delta)
    assert code_of(judge(src=src_escrow(rescue_delay=src_delay))) == code
    assert code_of(judge(dst=dst_escrow(rescue_delay=dst_delay))) == code


@pytest.mark.parametrize(
    "change",
    [
        {"order_hash": OrderHash(bytes(32))},
        {"hashlock": Hashlock(bytes(32))},
        {"maker": an_address(77)},
        {"token": an_address(77)},
        {"amount": TokenAmount(TERMS.making_amount - 1)},
        {"amount": TokenAmount(TERMS.making_amount + 1)},
        {"safety_deposit": Wei(TERMS.src_deposit + 1)},
        {"timelocks": replace(SRC_IMMUTABLES.timelocks, dst_cancellation=Seconds(199))},
    ],
)
def test_a_source_escrow_that_was_not_signed_is_unsafe(change: dict[str, Any]) -> None:
    immutables = replace(SRC_IMMUTABLES, **change)
    assert code_of(judge(src=src_escrow(immutables))) == "ORDER_MISMATCH"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"maker": an_address(77)}, "ORDER_MISMATCH"),
        ({"amount": TokenAmount(TERMS.taking_amount - 1)}, "ORDER_MISMATCH"),
        ({"amount": TokenAmount(TERMS.taking_amount + 1)}, "VERIFIED"),
        ({"token": an_address(77)}, "ORDER_MISMATCH"),
        ({"safety_deposit": Wei(TERMS.dst_deposit + 1)}, "ORDER_MISMATCH"),
        ({"chain_id": SRC}, "ORDER_MISMATCH"),
    ],
)
def test_the_destination_owes_at_least_what_was_signed(change: dict[str, Any], code: str) -> None:
    complement = replace(COMPLEMENT, **change)
    assert code_of(judge(complement=complement, dst=dst_escrow(complement=complement))) == code


@pytest.mark.parametrize(
    "change",
    [
        {"maker": an_address(77)},
        {"amount": TokenAmount(1)},
        {"token": an_address(77)},
        {"safety_deposit": Wei(0)},
        {"hashlock": Hashlock(bytes(32))},
        {"order_hash": OrderHash(bytes(32))},
        {"timelocks": replace(dst_escrow().immutables.timelocks, dst_cancellation=Seconds(100))},
    ],
)
def test_a_destination_escrow_must_answer_the_source_word_for_word(change: dict[str, Any]) -> None:
    immutables = replace(dst_escrow().immutables, **change)
    address = escrow_address(
        factory=CONTRACTS.factory, implementation=CONTRACTS.dst_implementation, immutables=immutables
    )
    assert code_of(judge(dst=dst_escrow(immutables=immutables, address=address))) == "ORDER_MISMATCH"


def test_another_taker_on_either_side_is_unsafe() -> None:
    stranger = replace(SRC_IMMUTABLES, taker=an_address(77))
    assert code_of(judge(src=src_escrow(stranger))) == "WRONG_TAKER"
    other = replace(dst_escrow().immutables, taker=an_address(77))
    assert code_of(judge(dst=dst_escrow(immutables=other))) == "WRONG_TAKER"


@pytest.mark.parametrize("build", [src_escrow, dst_escrow])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"address": an_address(77)}, "ADDRESS_MISMATCH"),
        ({"code": b""}, "CODE_MISMATCH"),
        ({"code": clone_code(an_address(77))}, "CODE_MISMATCH"),
        ({"block_time": UnixTime(BORN - 1)}, "BIRTH_MISMATCH"),
        ({"token_balance": TokenAmount(0)}, "TOKENS_MISSING"),
        ({"native_balance": Wei(0)}, "COINS_MISSING"),
    ],
)
def test_each_escrow_is_the_known_clone_born_then_and_funded(build: Any, change: dict[str, Any], code: str) -> None:
    side = "src" if build is src_escrow else "dst"
    assert code_of(judge(**{side: build(**change)})) == code


@pytest.mark.parametrize(("short", "code"), [(1, "TOKENS_MISSING"), (0, "VERIFIED"), (-1, "VERIFIED")])
def test_balances_are_enough_to_the_last_unit(short: int, code: str) -> None:
    assert code_of(judge(dst=dst_escrow(token_balance=TokenAmount(TERMS.taking_amount - short)))) == code
    assert code_of(judge(src=src_escrow(token_balance=TokenAmount(TERMS.making_amount - short)))) == code


@pytest.mark.parametrize(("short", "code"), [(1, "COINS_MISSING"), (0, "VERIFIED")])
def test_a_native_escrow_holds_amount_and_deposit(short: int, code: str) -> None:
    terms = replace(TERMS, dst_token=NATIVE)
    complement = replace(COMPLEMENT, token=NATIVE)
    coins = Wei(terms.taking_amount + terms.dst_deposit - short)
    evidence = replace(GOOD, complement=complement, dst=dst_escrow(complement=complement, native_balance=coins))
    assert code_of(judge_evidence(terms, evidence, RULES)) == code


def test_a_hashlock_filled_twice_is_unsafe_whatever_else() -> None:
    assert code_of(judge(is_reused=True)) == "HASHLOCK_REUSED"
