from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.swap_values import A_SECRET, BORN, ESCROW_ORDER, FACTORY, MAKER, TAKER, an_address

from bmn.core.auction import Auction
from bmn.core.errors import BadInput
from bmn.core.escrow_order import (
    FillKind,
    PostInteraction,
    WhitelistEntry,
    build_escrow_order,
    encode_post_interaction,
    hashlock_of,
    pack_deposits,
    paid_to,
    parse_escrow_order,
    parse_extra_data,
    parse_post_interaction,
    unpack_deposits,
    whitelist_allows,
)
from bmn.core.extension import Extension, decode_extension, encode_extension, salt_for
from bmn.core.order import MakerTraitsWord, Order
from bmn.core.traits import MakerTraits, low_80_bits, pack_maker_traits, unpack_maker_traits
from bmn.core.units import Address, Seconds, UnixTime, Wei

POST = ESCROW_ORDER.post_interaction
AUCTION = Auction(start=BORN, duration=Seconds(60), initial_rate_bump=1000)


def _changed(
    change: Callable[[Extension], Extension] = lambda same: same,
    traits: Callable[[MakerTraits], MakerTraits] = lambda same: same,
) -> tuple[Order, bytes]:
    """A well-bound order whose extension or traits are not ours."""
    order, extension = build_escrow_order(ESCROW_ORDER)
    extension = encode_extension(change(decode_extension(extension)))
    word = pack_maker_traits(traits(unpack_maker_traits(order.maker_traits)))
    return replace(order, salt=salt_for(5, extension), maker_traits=word), extension


@pytest.mark.parametrize("kind", FillKind)
@pytest.mark.parametrize("auction", [None, AUCTION])
def test_reads_back_what_it_built(kind: FillKind, auction: Auction | None) -> None:
    terms = replace(ESCROW_ORDER, kind=kind, auction=auction)
    assert parse_escrow_order(*build_escrow_order(terms)) == terms


def test_refuses_an_extension_that_the_salt_does_not_bind() -> None:
    order, extension = build_escrow_order(ESCROW_ORDER)
    with pytest.raises(BadInput, match="WRONG_EXTENSION"):
        parse_escrow_order(order, extension[:-1] + bytes((extension[-1] ^ 1,)))


@pytest.mark.parametrize(
    "change",
    [
        lambda same: replace(same, custom_data=b"\x01"),
        lambda same: replace(same, maker_permit=TAKER + b"\x01"),
        lambda same: replace(same, pre_interaction=TAKER),
        lambda same: replace(same, predicate=b"\x01"),
        lambda same: replace(same, maker_asset_suffix=b"\x01"),
        lambda same: replace(same, taker_asset_suffix=b"\x01"),
        lambda same: replace(same, taking_amount_data=FACTORY + bytes(17)),
        lambda same: replace(same, making_amount_data=FACTORY + bytes(17)),
        lambda same: replace(same, making_amount_data=TAKER + bytes(17), taking_amount_data=TAKER + bytes(17)),
    ],
)
def test_refuses_extension_fields_that_escrow_orders_never_use(change: Callable[[Extension], Extension]) -> None:
    with pytest.raises(BadInput, match="NOT_ESCROW_ORDER"):
        parse_escrow_order(*_changed(change))


@pytest.mark.parametrize(
    "traits",
    [
        lambda same: replace(same, no_partial_fills=False),
        lambda same: replace(same, allow_multiple_fills=True),
        lambda same: replace(same, post_interaction=False),
        lambda same: replace(same, has_extension=False),
        lambda same: replace(same, pre_interaction=True),
        lambda same: replace(same, check_epoch=True),
        lambda same: replace(same, use_permit2=True),
        lambda same: replace(same, unwrap_weth=True),
        lambda same: replace(same, series=1),
        lambda same: replace(same, allowed_sender=low_80_bits(TAKER)),
    ],
)
def test_refuses_options_that_escrow_orders_never_use(traits: Callable[[MakerTraits], MakerTraits]) -> None:
    with pytest.raises(BadInput, match="NOT_ESCROW_ORDER"):
        parse_escrow_order(*_changed(traits=traits))


def test_refuses_options_without_a_meaning() -> None:
    order, extension = build_escrow_order(ESCROW_ORDER)
    with pytest.raises(BadInput, match="BAD_MAKER_TRAITS"):
        parse_escrow_order(replace(order, maker_traits=MakerTraitsWord(order.maker_traits | 1 << 253)), extension)


@pytest.mark.parametrize("flag", [0b001, 0b010, 0b100])
def test_refuses_fee_and_receiver_flags(flag: int) -> None:
    data = bytearray(encode_post_interaction(POST))
    data[-161] |= flag
    with pytest.raises(BadInput, match="BAD_POST_INTERACTION"):
        parse_post_interaction(bytes(data))


def test_refuses_bytes_between_whitelist_and_flags() -> None:
    data = encode_post_interaction(POST)
    with pytest.raises(BadInput, match="BAD_POST_INTERACTION"):
        parse_post_interaction(data[:-161] + bytes(20) + data[-161:])


def test_refuses_a_post_interaction_that_is_one_byte_short() -> None:
    shortest = encode_post_interaction(replace(POST, whitelist=()))
    assert parse_post_interaction(shortest).whitelist == ()
    with pytest.raises(BadInput, match="BAD_POST_INTERACTION"):
        parse_post_interaction(shortest[1:])


@pytest.mark.parametrize("size", [159, 161])
def test_refuses_escrow_parameters_of_another_length(size: int) -> None:
    with pytest.raises(BadInput, match="BAD_LENGTH"):
        parse_extra_data(bytes(size))


def test_31_resolvers_fit_and_32_do_not() -> None:
    entry = WhitelistEntry(low_bits=1, delay=Seconds(0))
    full = replace(POST, whitelist=(entry,) * 31)
    assert parse_post_interaction(encode_post_interaction(full)) == full
    with pytest.raises(BadInput, match="BAD_WHITELIST"):
        replace(POST, whitelist=(entry,) * 32)


def test_deposits_have_128_bits_each_source_on_top() -> None:
    assert pack_deposits(Wei(1), Wei(2)) == 1 << 128 | 2
    assert unpack_deposits(1 << 128 | 2) == (1, 2)
    replace(POST.extra, src_safety_deposit=Wei(2**128 - 1), dst_safety_deposit=Wei(2**128 - 1))
    with pytest.raises(BadInput, match="src_safety_deposit"):
        replace(POST.extra, src_safety_deposit=Wei(2**128))
    with pytest.raises(BadInput, match="dst_safety_deposit"):
        replace(POST.extra, dst_safety_deposit=Wei(2**128))


def test_the_hashlock_of_a_single_fill_order_is_its_secret_hashed() -> None:
    assert hashlock_of(ESCROW_ORDER) == A_SECRET.hashlock
    with pytest.raises(BadInput, match="MULTI_FILL"):
        hashlock_of(replace(ESCROW_ORDER, kind=FillKind.MULTI))


def test_the_maker_is_paid_unless_a_receiver_is_named() -> None:
    assert paid_to(ESCROW_ORDER) == MAKER
    assert paid_to(replace(ESCROW_ORDER, receiver=an_address(9))) == an_address(9)


FIRST, SECOND, STRANGER = (an_address(number) for number in (21, 22, 23))
LISTED = replace(
    POST,
    whitelist=(
        WhitelistEntry(low_bits=low_80_bits(FIRST), delay=Seconds(5)),
        WhitelistEntry(low_bits=low_80_bits(SECOND), delay=Seconds(10)),
    ),
)


def _allows(who: Address, after: int, post: PostInteraction = LISTED, *, token: bool = False) -> bool:
    return whitelist_allows(post, who, UnixTime(BORN + after), holds_access_token=token)


def test_delays_of_the_whitelist_add_up() -> None:
    assert [_allows(FIRST, after) for after in (4, 5)] == [False, True]
    assert [_allows(SECOND, after) for after in (14, 15)] == [False, True]
    assert not _allows(STRANGER, 10**6)


def test_a_holder_of_the_access_token_may_fill_from_the_start() -> None:
    assert [_allows(STRANGER, after, token=True) for after in (-1, 0)] == [False, True]
    assert [_allows(SECOND, after, token=True) for after in (-1, 0)] == [False, True]


def test_the_whitelist_compares_80_bits_only() -> None:
    assert _allows(Address.from_word(low_80_bits(FIRST)), 5)


def test_the_first_of_two_entries_of_a_resolver_that_is_open_counts() -> None:
    twice = replace(POST, whitelist=(LISTED.whitelist[0], LISTED.whitelist[0]))
    assert [_allows(FIRST, after, twice) for after in (4, 5, 9, 10)] == [False, True, True, True]
