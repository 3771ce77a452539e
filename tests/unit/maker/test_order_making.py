"""Making an order: what is signed, what is refused, and that the secret is on disk first."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.api_values import DST, SPECS, SRC
from tests.support.maker_values import A_KEY, TIMELOCKS, a_vault, some_terms

from bmn.core.acceptance import AcceptancePolicy, TokenRule, evaluate_order
from bmn.core.errors import BadInput, ChainError
from bmn.core.margins import ChainTiming, Margins
from bmn.core.signed_order import parse_swap_terms
from bmn.core.timelocks import check_timelocks
from bmn.core.traits import unpack_maker_traits
from bmn.core.units import NATIVE, Address, Bps, Seconds, TokenAmount, UnixTime, Wei
from bmn.evm.signer import Digest, Signature, recover
from bmn.maker.amounts import parse_amount, show_amount
from bmn.maker.create import OrderTerms, create_order, default_timelocks
from bmn.seams import SystemRng

RNG = SystemRng()


async def test_an_order_means_what_was_asked_and_is_signed_by_the_maker(tmp_path: Path) -> None:
    terms, vault = some_terms(), a_vault(tmp_path)
    made = await create_order(terms, signer=A_KEY, rng=RNG, vault=vault)
    read = parse_swap_terms(made.signed, terms.src.domain)
    assert (read.order_hash, read.hashlock) == (made.order_hash, made.hashlock)
    assert (read.making_amount, read.taking_amount, read.receiver) == (1000, 990, A_KEY.address)
    assert (read.src_deposit, read.dst_deposit, read.timelocks) == (10, 20, TIMELOCKS)
    assert read.taker_asset == terms.src.contracts.noop_token
    assert read.escrow_order.auction is None
    traits = unpack_maker_traits(made.order.maker_traits)
    assert traits.no_partial_fills
    assert not traits.allow_multiple_fills
    signature = made.signed.signature
    signed = Signature(r=signature.r.word, s=signature.s, y_parity=signature.y_parity)
    assert recover(made.order_hash, signed) == A_KEY.address
    assert vault.load(made.order_hash) == made
    assert vault.load_secret(made.order_hash).hashlock == made.hashlock


async def test_no_two_orders_share_secret_or_nonce(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    made = [await create_order(some_terms(), signer=A_KEY, rng=RNG, vault=vault) for _ in range(20)]
    assert len({order.hashlock for order in made}) == 20
    assert len({unpack_maker_traits(order.order.maker_traits).nonce for order in made}) == 20
    assert vault.list() == tuple(made)


class _SignerAway:
    """A signer whose device is unplugged; says what was on disk when it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[str] = []

    @property
    def address(self) -> Address:
        return A_KEY.address

    async def sign_digest(self, digest: Digest) -> Signature:
        self.seen = [path.name for path in (self.folder / "maker" / "orders").glob("0x*.json")]
        raise ChainError("SIGNER_AWAY", f"cannot sign {digest}")


async def test_the_secret_is_on_disk_before_anything_is_signed(tmp_path: Path) -> None:
    vault, signer = a_vault(tmp_path), _SignerAway(tmp_path)
    with pytest.raises(ChainError):
        await create_order(some_terms(), signer=signer, rng=RNG, vault=vault)
    (stored,) = vault.list()
    assert signer.seen == [f"{stored.order_hash}.json"]
    assert stored.signature is None
    assert vault.load_secret(stored.order_hash).hashlock == stored.hashlock


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (replace(some_terms(), dst=SPECS[SRC]), "SAME_CHAIN"),
        (replace(some_terms(), src_token=NATIVE), "NATIVE_SOURCE"),
        (replace(some_terms(), making_amount=TokenAmount(0)), "ZERO_AMOUNT"),
        (replace(some_terms(), taking_amount=TokenAmount(0)), "ZERO_AMOUNT"),
        (replace(some_terms(), timelocks=replace(TIMELOCKS, src_withdrawal=Seconds(3000))), "BAD_TIMELOCKS"),
        (replace(some_terms(), timelocks=replace(TIMELOCKS, dst_cancellation=Seconds(4000))), "BAD_TIMELOCKS"),
        (replace(some_terms(), timelocks=TIMELOCKS.deployed(UnixTime(1))), "BAD_TIMELOCKS"),
        (
            replace(some_terms(), timelocks=replace(TIMELOCKS, src_public_cancellation=Seconds(604_800 - 86_400))),
            "RESCUE_TOO_EARLY",
        ),
    ],
)
async def test_what_no_careful_maker_signs_is_refused_and_leaves_no_file(
    tmp_path: Path, terms: OrderTerms, code: str
) -> None:
    vault = a_vault(tmp_path)
    with pytest.raises(BadInput) as error:
        await create_order(terms, signer=A_KEY, rng=RNG, vault=vault)
    assert error.value.code == code
    assert vault.list() == ()


async def test_the_last_second_before_the_limits_is_signed(tmp_path: Path) -> None:
    locks = replace(TIMELOCKS, dst_cancellation=Seconds(3999), src_public_cancellation=Seconds(604_800 - 86_400 - 1))
    made = await create_order(replace(some_terms(), timelocks=locks), signer=A_KEY, rng=RNG, vault=a_vault(tmp_path))
    assert made.signature is not None


TIMINGS = st.builds(
    ChainTiming,
    block_time=st.integers(1, 60).map(Seconds),
    depth=st.integers(0, 64),
    inclusion=st.integers(1, 600).map(Seconds),
    outage=st.integers(0, 3600).map(Seconds),
)
MARGINS = st.builds(
    Margins,
    src=TIMINGS,
    dst=TIMINGS,
    detect=st.integers(0, 600).map(Seconds),
    recovery=st.integers(0, 3600).map(Seconds),
    skew=st.integers(0, 600).map(Seconds),
    min_reveal=st.integers(1, 3600).map(Seconds),
    max_lock=st.just(Seconds(10**7)),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MARGINS)
async def test_default_timelocks_are_taken_by_a_resolver_of_the_same_margins(tmp_path: Path, margins: Margins) -> None:
    locks = default_timelocks(margins)
    check_timelocks(locks)
    contracts = replace(SPECS[SRC].contracts, rescue_delay_src=Seconds(2**31), rescue_delay_dst=Seconds(2**31))
    rule = TokenRule(symbol="BMN", decimals=18, max_amount=TokenAmount(10**30), micro_usd=1_000_000)
    src, dst = replace(SPECS[SRC], contracts=contracts), replace(SPECS[DST], contracts=contracts)
    policy = AcceptancePolicy(
        src=src,
        dst=dst,
        src_tokens={contracts.access_token: rule},
        dst_tokens={contracts.access_token: rule},
        margins=margins,
        max_deposit=Wei(10**18),
        min_margin=Bps(0),
    )
    made = await create_order(
        replace(some_terms(src, dst), timelocks=locks), signer=A_KEY, rng=RNG, vault=a_vault(tmp_path)
    )
    terms = parse_swap_terms(made.signed, src.domain)
    assert evaluate_order(terms, policy, terms.escrow_order.post_interaction.resolving_start) is None


@pytest.mark.parametrize(
    ("text", "decimals", "amount"),
    [("10", 18, 10**19), ("0.5", 1, 5), ("1.", 2, None), (".5", 2, None), ("0", 0, 0), ("1.00", 2, 100)],
)
def test_amounts_are_read_to_the_unit(text: str, decimals: int, amount: int | None) -> None:
    if amount is None:
        with pytest.raises(BadInput):
            parse_amount(text, decimals)
    else:
        assert parse_amount(text, decimals) == amount


@pytest.mark.parametrize("text", ["", "-1", "1e3", "1,5", "0x1", "１", "1 0", "NaN", str(2**256)])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_amount(text, 0)
    assert error.value.code == "BAD_AMOUNT"


def test_one_decimal_too_many_is_refused_not_rounded() -> None:
    assert parse_amount("1.234567", 6) == 1_234_567
    with pytest.raises(BadInput) as error:
        parse_amount("1.2345670", 6)
    assert error.value.code == "TOO_MANY_DECIMALS"


@given(st.integers(0, 2**256 - 1).map(TokenAmount), st.integers(0, 77))
def test_an_amount_shown_reads_back(amount: TokenAmount, decimals: int) -> None:
    assert parse_amount(show_amount(amount, decimals), decimals) == amount
