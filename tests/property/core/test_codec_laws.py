"""What is packed unpacks to itself, and independent encoders agree."""

from dataclasses import astuple

from eth_abi.abi import encode as abi_encode
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st
from tests.support.strategies import ADDRESSES, HASHES, IMMUTABLES, TIMELOCKS, unsigned

from bmn.core.auction import Auction, AuctionPoint, decode_auction, encode_auction
from bmn.core.eip712 import Domain, order_hash
from bmn.core.escrow_order import (
    EscrowOrder,
    ExtraDataArgs,
    FillKind,
    PostInteraction,
    WhitelistEntry,
    build_escrow_order,
    encode_extra_data,
    parse_escrow_order,
)
from bmn.core.extension import Extension, decode_extension, encode_extension
from bmn.core.immutables import Immutables, decode_immutables, encode_immutables
from bmn.core.merkle import TakerData, encode_taker_data, hashlock_info, is_proof_valid, merkle_proof, secret_leaf
from bmn.core.order import MakerTraitsWord, Order, Salt, decode_order, encode_order
from bmn.core.timelocks import pack_timelocks, unpack_timelocks
from bmn.core.traits import (
    MakerTraits,
    TakerTraits,
    pack_maker_traits,
    pack_taker_traits,
    unpack_maker_traits,
    unpack_taker_traits,
)
from bmn.core.units import Address, ChainId, Hash32, Hashlock, Seconds, TokenAmount, UnixTime, Wei

_FLAGS = st.booleans()
_ORDERS = st.builds(
    Order,
    salt=unsigned(256, Salt),
    maker=ADDRESSES,
    receiver=ADDRESSES,
    maker_asset=ADDRESSES,
    taker_asset=ADDRESSES,
    making_amount=unsigned(256, TokenAmount),
    taking_amount=unsigned(256, TokenAmount),
    maker_traits=unsigned(256, MakerTraitsWord),
)
_AUCTIONS = st.builds(
    Auction,
    start=unsigned(32, UnixTime),
    duration=unsigned(24, Seconds),
    initial_rate_bump=unsigned(24, int),
    points=st.lists(st.builds(AuctionPoint, rate_bump=unsigned(24, int), delay=unsigned(16, Seconds)), max_size=4).map(
        tuple
    ),
    gas_bump_estimate=unsigned(24, int),
    gas_price_estimate=unsigned(32, int),
)
_EXTRAS = st.builds(
    ExtraDataArgs,
    hashlock_info=HASHES.map(Hash32),
    dst_chain_id=unsigned(256, ChainId),
    dst_token=ADDRESSES,
    src_safety_deposit=unsigned(128, Wei),
    dst_safety_deposit=unsigned(128, Wei),
    timelocks=TIMELOCKS,
)
_ESCROW_ORDERS = st.builds(
    EscrowOrder,
    kind=st.sampled_from(FillKind),
    maker=ADDRESSES,
    receiver=ADDRESSES,
    maker_asset=ADDRESSES,
    taker_asset=ADDRESSES,
    making_amount=unsigned(256, TokenAmount),
    taking_amount=unsigned(256, TokenAmount),
    post_interaction=st.builds(
        PostInteraction,
        factory=ADDRESSES,
        resolving_start=unsigned(32, UnixTime),
        whitelist=st.lists(
            st.builds(WhitelistEntry, low_bits=unsigned(80, int), delay=unsigned(16, Seconds)), max_size=31
        ).map(tuple),
        extra=_EXTRAS,
    ),
    auction=st.none() | _AUCTIONS,
    salt_base=unsigned(96, int),
    nonce=unsigned(40, int),
    expiration=unsigned(40, UnixTime),
)
_EXTENSIONS = st.builds(Extension, **dict.fromkeys(Extension.__slots__, st.binary(max_size=70)))


@given(st.integers(0, 2**256 - 1))
def test_every_timelocks_word_survives(word: int) -> None:
    assert pack_timelocks(unpack_timelocks(word)) == word


@given(IMMUTABLES)
def test_immutables_survive_and_are_abi_words(immutables: Immutables) -> None:
    encoded = encode_immutables(immutables)
    assert decode_immutables(encoded) == immutables
    assert encoded == abi_encode(
        ["(bytes32,bytes32,address,address,address,uint256,uint256,uint256)"],
        [
            (
                immutables.order_hash,
                immutables.hashlock,
                str(immutables.maker),
                str(immutables.taker),
                str(immutables.token),
                immutables.amount,
                immutables.safety_deposit,
                pack_timelocks(immutables.timelocks),
            )
        ],
    )


@given(_ORDERS)
def test_orders_survive(order: Order) -> None:
    assert decode_order(encode_order(order)) == order


@given(_ORDERS, st.text(max_size=20), unsigned(256, ChainId), ADDRESSES)
def test_order_hashes_are_those_of_another_eip712(order: Order, name: str, chain_id: ChainId, lop: Address) -> None:
    domain = Domain(name=name, version="4", chain_id=chain_id, verifying_contract=lop)
    names = ("salt", "maker", "receiver", "makerAsset", "takerAsset", "makingAmount", "takingAmount", "makerTraits")
    message = encode_typed_data(
        {
            "name": name,
            "version": "4",
            "chainId": chain_id,
            "verifyingContract": str(domain.verifying_contract),
        },
        {
            "Order": [
                {"name": each, "type": "address" if isinstance(value, bytes) else "uint256"}
                for each, value in zip(names, astuple(order), strict=True)
            ]
        },
        {
            each: str(value) if isinstance(value, bytes) else value
            for each, value in zip(names, astuple(order), strict=True)
        },
    )
    assert order_hash(domain, order) == bytes(_hash_eip191_message(message))


@given(
    st.builds(
        MakerTraits,
        no_partial_fills=_FLAGS,
        allow_multiple_fills=_FLAGS,
        pre_interaction=_FLAGS,
        post_interaction=_FLAGS,
        check_epoch=_FLAGS,
        has_extension=_FLAGS,
        use_permit2=_FLAGS,
        unwrap_weth=_FLAGS,
        series=unsigned(40, int),
        nonce=unsigned(40, int),
        expiration=unsigned(40, UnixTime),
        allowed_sender=unsigned(80, int),
    )
)
def test_maker_traits_survive(traits: MakerTraits) -> None:
    assert unpack_maker_traits(pack_maker_traits(traits)) == traits


@given(
    st.builds(
        TakerTraits,
        is_making_amount=_FLAGS,
        unwrap_weth=_FLAGS,
        skip_maker_permit=_FLAGS,
        use_permit2=_FLAGS,
        has_target=_FLAGS,
        extension_length=unsigned(24, int),
        interaction_length=unsigned(24, int),
        threshold=unsigned(185, TokenAmount),
    )
)
def test_taker_traits_survive(traits: TakerTraits) -> None:
    assert unpack_taker_traits(pack_taker_traits(traits)) == traits


@given(_EXTENSIONS)
def test_extensions_survive(extension: Extension) -> None:
    assert decode_extension(encode_extension(extension)) == extension


@given(_AUCTIONS)
def test_auctions_survive(auction: Auction) -> None:
    assert decode_auction(encode_auction(auction)) == auction


@given(_EXTRAS)
def test_escrow_parameters_are_abi_words(extra: ExtraDataArgs) -> None:
    deposits = extra.src_safety_deposit << 128 | extra.dst_safety_deposit
    assert encode_extra_data(extra) == abi_encode(
        ["bytes32", "uint256", "address", "uint256", "uint256"],
        [
            extra.hashlock_info,
            extra.dst_chain_id,
            str(extra.dst_token),
            deposits,
            pack_timelocks(extra.timelocks),
        ],
    )


@given(_ESCROW_ORDERS)
def test_escrow_orders_survive(terms: EscrowOrder) -> None:
    assert parse_escrow_order(*build_escrow_order(terms)) == terms


@given(st.lists(HASHES.map(Hashlock), min_size=3, max_size=40), st.data())
def test_every_secret_of_an_order_in_parts_can_be_proved(hashlocks: list[Hashlock], data: st.DataObject) -> None:
    leaves = [secret_leaf(index, hashlock) for index, hashlock in enumerate(hashlocks)]
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = TakerData(proof=merkle_proof(leaves, leaves[index]), index=index, hashlock=hashlocks[index])
    assert is_proof_valid(hashlock_info(leaves), proof)
    # Contracts read it as the arguments of a function, without the offset of a tuple.
    assert encode_taker_data(proof) == abi_encode(
        ["bytes32[]", "uint256", "bytes32"], [proof.proof, index, hashlocks[index]]
    )
