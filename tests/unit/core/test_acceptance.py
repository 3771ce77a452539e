"""Both sides of every boundary of acceptance, and each of its stable codes."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.api_values import CONTRACTS, SPECS, SRC
from tests.support.swap_facts import MARGINS
from tests.support.swap_values import BORN, ESCROW_ORDER, an_address

from bmn.core.acceptance import AcceptancePolicy, TokenRule, evaluate_order
from bmn.core.compact_signature import CompactSignature
from bmn.core.escrow_order import build_escrow_order
from bmn.core.hashing import keccak
from bmn.core.signed_order import SignedOrder, SwapTerms, parse_swap_terms
from bmn.core.timelocks import Timelocks
from bmn.core.units import (
    NATIVE,
    ZERO_ADDRESS,
    Address,
    Bps,
    ChainId,
    Hash32,
    Hashlock,
    Seconds,
    TokenAmount,
    UnixTime,
    Wei,
)

DST_CHAIN = ChainId(10)
SRC_TOKEN, DST_TOKEN = ESCROW_ORDER.maker_asset, ESCROW_ORDER.post_interaction.extra.dst_token
DST_CONTRACTS = replace(
    CONTRACTS,
    factory=an_address(41),
    src_implementation=an_address(42),
    dst_implementation=an_address(43),
    resolver=an_address(44),
    rescue_delay_dst=Seconds(500_000),
)
POLICY = AcceptancePolicy(
    src=SPECS[SRC],
    dst=replace(SPECS[SRC], id=DST_CHAIN, name="beta", contracts=DST_CONTRACTS),
    src_tokens={SRC_TOKEN: TokenRule(symbol="A", decimals=18, max_amount=TokenAmount(10**21), micro_usd=2_000_000)},
    dst_tokens={
        DST_TOKEN: TokenRule(symbol="B", decimals=6, max_amount=TokenAmount(10**9), micro_usd=1_000_000),
        NATIVE: TokenRule(symbol="N", decimals=18, max_amount=TokenAmount(10**21), micro_usd=1_000_000),
    },
    margins=MARGINS,
    max_deposit=Wei(1000),
    min_margin=Bps(30),
)
LOCKS = Timelocks(
    src_withdrawal=Seconds(4),
    src_public_withdrawal=Seconds(150),
    src_cancellation=Seconds(100 + MARGINS.fill_to_lock + MARGINS.required),
    src_public_cancellation=Seconds(1000),
    dst_withdrawal=MARGINS.dst.finality,
    dst_public_withdrawal=Seconds(50),
    dst_cancellation=Seconds(100),
    deployed_at=UnixTime(0),
)


def some_terms() -> SwapTerms:
    order, extension = build_escrow_order(ESCROW_ORDER)
    signature = CompactSignature(r=Hash32.from_word(1), vs=Hash32.from_word(1))
    signed = SignedOrder(src_chain=SRC, order=order, extension=extension, signature=signature)
    terms = parse_swap_terms(signed, SPECS[SRC].domain)
    return replace(
        terms,
        timelocks=LOCKS,
        making_amount=TokenAmount(10**18),
        taking_amount=TokenAmount(10**6),
        expires_at=UnixTime(0),
    )


TERMS = some_terms()


def code_of(terms: SwapTerms, policy: AcceptancePolicy = POLICY, now: int = BORN) -> str | None:
    refused = evaluate_order(terms, policy, UnixTime(now))
    return None if refused is None else refused.code


def with_locks(**changes: int) -> SwapTerms:
    locks: dict[str, Any] = {name: Seconds(value) for name, value in changes.items()}
    return replace(TERMS, timelocks=replace(LOCKS, **locks))


def test_a_good_order_is_taken() -> None:
    assert code_of(TERMS) is None


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("WRONG_FACTORY", {"factory": an_address(99)}),
        ("WRONG_FACTORY", {"factory": DST_CONTRACTS.factory}),
        ("TAKER_ASSET_NOT_NOOP", {"taker_asset": DST_TOKEN}),
        ("TAKER_ASSET_NOT_NOOP", {"taker_asset": SRC_TOKEN}),
        ("BAD_RECEIVER", {"receiver": DST_CONTRACTS.factory}),
        ("BAD_RECEIVER", {"receiver": DST_CONTRACTS.resolver}),
        ("BAD_RECEIVER", {"receiver": DST_CONTRACTS.src_implementation}),
        ("BAD_RECEIVER", {"receiver": DST_CONTRACTS.dst_implementation}),
        ("BAD_RECEIVER", {"receiver": DST_TOKEN}),
        ("BAD_RECEIVER", {"receiver": ZERO_ADDRESS}),
        ("BAD_RECEIVER", {"receiver": Address.from_word(0xFFFF)}),
        ("BAD_MAKER", {"maker": CONTRACTS.resolver}),
        ("BAD_MAKER", {"maker": CONTRACTS.factory}),
        ("TOKEN_NOT_LISTED", {"src_token": an_address(99)}),
        ("TOKEN_NOT_LISTED", {"src_token": NATIVE}),
        ("TOKEN_NOT_LISTED", {"dst_token": an_address(99)}),
        ("TOKEN_NOT_LISTED", {"src_token": DST_TOKEN}),
        ("ZERO_AMOUNT", {"making_amount": TokenAmount(0)}),
        ("ZERO_AMOUNT", {"taking_amount": TokenAmount(0)}),
    ],
)
def test_what_is_never_taken(code: str, changes: dict[str, Any]) -> None:
    assert code_of(replace(TERMS, **changes)) == code


@pytest.mark.parametrize("taker_asset", [CONTRACTS.noop_token, ZERO_ADDRESS])
def test_a_taker_asset_that_moves_nothing_is_taken(taker_asset: Address) -> None:
    assert code_of(replace(TERMS, taker_asset=taker_asset)) is None


def test_the_first_address_above_the_precompiles_may_receive() -> None:
    assert code_of(replace(TERMS, receiver=Address.from_word(0x10000))) is None


@pytest.mark.parametrize("preimage", [b"", bytes(32), (1).to_bytes(32, "big"), b"\xff" * 32])
def test_a_hashlock_everybody_knows_the_secret_of_is_refused(preimage: bytes) -> None:
    assert code_of(replace(TERMS, hashlock=Hashlock(keccak(preimage)))) == "HASHLOCK_KNOWN"


def test_the_zero_hashlock_is_refused() -> None:
    assert code_of(replace(TERMS, hashlock=Hashlock(bytes(32)))) == "HASHLOCK_KNOWN"


@pytest.mark.parametrize(("over", "code"), [(0, None), (1, "OVER_LIMIT")])
def test_amounts_up_to_the_limit_of_each_token(over: int, code: str | None) -> None:
    free = replace(POLICY, min_margin=Bps(0))
    src = replace(TERMS, making_amount=TokenAmount(10**21 + over))
    assert code_of(src, free) == code
    dst = replace(TERMS, making_amount=TokenAmount(10**21), taking_amount=TokenAmount(10**9 + over))
    assert code_of(dst, free) == code


@pytest.mark.parametrize("field", ["src_deposit", "dst_deposit"])
@pytest.mark.parametrize(("deposit", "code"), [(1000, None), (1001, "DEPOSIT_TOO_LARGE")])
def test_a_safety_deposit_up_to_the_limit_on_either_side(field: str, deposit: int, code: str | None) -> None:
    changes: dict[str, Any] = {field: Wei(deposit)}
    assert code_of(replace(TERMS, **changes)) == code


@pytest.mark.parametrize("side", ["src_tokens", "dst_tokens"])
def test_no_price_means_no(side: str) -> None:
    unpriced = {token: replace(rule, micro_usd=None) for token, rule in getattr(POLICY, side).items()}
    changes: dict[str, Any] = {side: unpriced}
    assert code_of(TERMS, replace(POLICY, **changes)) == "PRICE_UNKNOWN"


@pytest.mark.parametrize(("taken", "code"), [(1_994_017, None), (1_994_018, "UNPROFITABLE")])
def test_the_gain_is_at_least_the_least_margin_of_what_we_pay(taken: int, code: str | None) -> None:
    """2 dollars in, 30 bps: x * 1.003 <= 2.0, across 18 and 6 decimals."""
    assert code_of(replace(TERMS, taking_amount=TokenAmount(taken))) == code


@pytest.mark.parametrize(("made", "code"), [(5 * 10**17, None), (5 * 10**17 - 1, "UNPROFITABLE")])
def test_with_no_margin_asked_a_loss_of_the_smallest_unit_is_refused(made: int, code: str | None) -> None:
    assert code_of(replace(TERMS, making_amount=TokenAmount(made)), replace(POLICY, min_margin=Bps(0))) == code


def test_the_native_coin_can_be_what_we_pay() -> None:
    terms = replace(TERMS, dst_token=NATIVE, taking_amount=TokenAmount(10**18))
    assert code_of(terms) is None


@pytest.mark.parametrize(("less", "code"), [(0, None), (1, "MARGIN_TOO_THIN")])
def test_the_margin_lies_behind_the_destination_window_of_a_late_lock(less: int, code: str | None) -> None:
    assert code_of(with_locks(src_cancellation=LOCKS.src_cancellation - less)) == code


@pytest.mark.parametrize(("less", "code"), [(0, None), (1, "MARGIN_TOO_THIN")])
def test_the_margin_lies_behind_the_opening_of_the_source_withdrawal_too(less: int, code: str | None) -> None:
    locks = {"src_withdrawal": 500, "src_public_withdrawal": 510, "src_cancellation": 500 + MARGINS.required - less}
    assert code_of(with_locks(**locks)) == code


def test_a_source_withdrawal_that_opens_two_seconds_before_the_cancellation_is_refused() -> None:
    locks = {"src_cancellation": 900, "src_public_withdrawal": 899, "src_withdrawal": 898}
    assert code_of(with_locks(**locks)) == "MARGIN_TOO_THIN"


@pytest.mark.parametrize(("less", "code"), [(0, None), (1, "DST_WITHDRAWAL_TOO_EARLY")])
def test_the_destination_opens_after_it_is_final(less: int, code: str | None) -> None:
    assert code_of(with_locks(dst_withdrawal=MARGINS.dst.finality - less)) == code


@pytest.mark.parametrize(("less", "code"), [(0, None), (1, "REVEAL_WINDOW_TOO_SHORT")])
def test_there_is_time_to_reveal_and_to_pay(less: int, code: str | None) -> None:
    end = LOCKS.dst_withdrawal + MARGINS.min_reveal + MARGINS.pay_budget - less
    assert code_of(with_locks(dst_public_withdrawal=end - 1, dst_cancellation=end)) == code


@pytest.mark.parametrize(("more", "code"), [(0, None), (1, "LOCK_TOO_LONG")])
def test_a_lock_is_no_longer_than_allowed(more: int, code: str | None) -> None:
    end = MARGINS.max_lock + more
    assert code_of(with_locks(src_cancellation=end, src_public_cancellation=end + 1)) == code


@pytest.mark.parametrize(
    ("locks", "code"),
    [
        ({"src_public_cancellation": 604_800 - 86_400 - 1}, None),
        ({"src_public_cancellation": 604_800 - 86_400}, "RESCUE_TOO_EARLY"),
    ],
)
def test_the_source_ends_a_day_before_its_rescue(locks: dict[str, int], code: str | None) -> None:
    assert code_of(with_locks(**locks)) == code


@pytest.mark.parametrize(("end", "code"), [(500_000 - 86_400 - 1, None), (500_000 - 86_400, "RESCUE_TOO_EARLY")])
def test_the_destination_ends_a_day_before_the_rescue_of_its_own_chain(end: int, code: str | None) -> None:
    policy = replace(POLICY, margins=replace(MARGINS, max_lock=Seconds(1_000_000)))
    cancel = end + MARGINS.fill_to_lock + MARGINS.required
    locks = {"dst_cancellation": end, "src_cancellation": cancel, "src_public_cancellation": cancel + 1}
    assert code_of(with_locks(**locks), policy) == code


def test_stages_out_of_order_are_refused_with_the_code_of_the_timelocks() -> None:
    assert code_of(with_locks(src_public_cancellation=LOCKS.src_cancellation)) == "BAD_TIMELOCKS"


@pytest.mark.parametrize(("left", "code"), [(10, None), (9, "EXPIRED")])
def test_the_order_lives_long_enough_to_be_filled(left: int, code: str | None) -> None:
    assert MARGINS.src.inclusion == 10
    assert code_of(replace(TERMS, expires_at=UnixTime(BORN + left))) == code


@pytest.mark.parametrize(("now", "code"), [(BORN, None), (BORN - 1, "NOT_OUR_TURN")])
def test_nothing_is_filled_before_resolving_starts(now: int, code: str | None) -> None:
    assert code_of(TERMS, now=now) == code
