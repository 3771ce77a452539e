"""eth-abi agrees with what is read of other factories' creations and immutables; no log breaks the decoder."""

from collections.abc import Sequence

import pytest
from eth_abi.abi import encode as abi_encode
from hypothesis import given
from hypothesis import strategies as st
from tests.support.strategies import ADDRESSES, COMPLEMENTS, HASHES, IMMUTABLES, TIMELOCKS, unsigned

from bmn.bindings.abi import topic
from bmn.bindings.escrow_logs import DstEscrowCreated, RawLog, SrcEscrowCreated
from bmn.bindings.fee_immutables import (
    FeeComplement,
    FeeImmutables,
    Fees,
    decode_fee_event,
    decode_fee_immutables,
    decode_fees,
    encode_fee_event,
    encode_fee_immutables,
    encode_fees,
)
from bmn.bindings.variant_interfaces import EntryKind, decode_call, parse_entry
from bmn.bindings.variant_logs import (
    DirectSrcEscrowCreated,
    FeeSrcEscrowCreated,
    NamedSrcEscrowCreated,
    PostInteractionEscrowCreated,
    Unreadable,
    decode_variant_log,
)
from bmn.bindings.variant_tables import INTERFACES
from bmn.bindings.variants import Variant
from bmn.core.errors import BadInput
from bmn.core.immutables import DstComplement, Immutables
from bmn.core.timelocks import pack_timelocks
from bmn.core.units import ZERO_ADDRESS, Address, ChainId, Hashlock, OrderHash, TokenAmount, Wei

I_TYPE = "(bytes32,bytes32,uint256,uint256,uint256,uint256,uint256,uint256)"
C_TYPE = "(uint256,uint256,uint256,uint256,uint256)"
I9_TYPE = f"{I_TYPE[:-1]},bytes)"
C6_TYPE = f"{C_TYPE[:-1]},bytes)"
AMOUNTS = unsigned(256, TokenAmount)

FEE_IMMUTABLES = st.builds(
    FeeImmutables,
    order_hash=HASHES.map(OrderHash),
    hashlock=HASHES.map(Hashlock),
    maker=ADDRESSES,
    taker=ADDRESSES,
    token=ADDRESSES,
    amount=AMOUNTS,
    safety_deposit=unsigned(256, Wei),
    timelocks=TIMELOCKS,
    parameters=st.binary(max_size=130),
)
FEE_COMPLEMENTS = st.builds(
    FeeComplement,
    maker=ADDRESSES,
    amount=AMOUNTS,
    token=ADDRESSES,
    safety_deposit=unsigned(256, Wei),
    chain_id=unsigned(256, ChainId),
    parameters=st.binary(max_size=130),
)


def _words(value: Immutables | FeeImmutables) -> tuple[object, ...]:
    return (
        value.order_hash,
        value.hashlock,
        value.maker.word,
        value.taker.word,
        value.token.word,
        value.amount,
        value.safety_deposit,
        pack_timelocks(value.timelocks),
    )


def _c(value: DstComplement | FeeComplement) -> tuple[int, ...]:
    return (value.maker.word, value.amount, value.token.word, value.safety_deposit, value.chain_id)


def _read(variant: Variant, signature: str, indexed: Sequence[object], plain: Sequence[tuple[str, object]]) -> object:
    """What the decoder makes of a log that eth-abi wrote; the indexed parameters come first in all of them."""
    kinds = ("address", "bytes32", "address")
    topics = (topic(signature), *(abi_encode([kind], [each]) for kind, each in zip(kinds, indexed, strict=False)))
    data = abi_encode([kind for kind, _ in plain], [value for _, value in plain])
    return decode_variant_log(variant, RawLog(address=ZERO_ADDRESS, topics=topics, data=data))


@given(IMMUTABLES, COMPLEMENTS, ADDRESSES, ADDRESSES, HASHES)
def test_creations_of_eight_fields(
    immutables: Immutables, complement: DstComplement, escrow: Address, taker: Address, word: bytes
) -> None:
    created = SrcEscrowCreated(immutables=immutables, complement=complement)
    data = ((I_TYPE, _words(immutables)), (C_TYPE, _c(complement)))
    for variant in (Variant.ONE_INCH_V1, Variant.BMN_V1_0):
        assert _read(variant, f"SrcEscrowCreated({I_TYPE},{C_TYPE})", (), data) == created
    assert _read(
        Variant.BMN_V1_1, f"SrcEscrowCreated(address,{I_TYPE},{C_TYPE})", (str(escrow),), data
    ) == NamedSrcEscrowCreated(escrow=escrow, created=created)
    made = DstEscrowCreated(escrow=escrow, hashlock=Hashlock(word), taker=taker)
    plain = (("address", str(escrow)), ("bytes32", word), ("uint256", taker.word))
    signature = "DstEscrowCreated(address,bytes32,uint256)"
    for variant in (Variant.ONE_INCH_V1, Variant.BMN_V1_0, Variant.ONE_INCH_V1_2):
        assert _read(variant, signature, (), plain) == made
    assert _read(Variant.BMN_V1_1, signature, (str(escrow), word), plain[2:]) == made


@given(ADDRESSES, HASHES, ADDRESSES, ADDRESSES, AMOUNTS)
def test_creations_of_simplified_factories(
    escrow: Address, word: bytes, other: Address, taker: Address, amount: TokenAmount
) -> None:
    topics = (str(escrow), word, str(other))
    plain = (("address", str(taker)), ("uint256", amount))
    for variant in (Variant.BMN_V2_3, Variant.BMN_V3_0):
        assert _read(
            variant, "SrcEscrowCreated(address,bytes32,address,address,uint256)", topics, plain
        ) == DirectSrcEscrowCreated(escrow=escrow, order_hash=OrderHash(word), maker=other, taker=taker, amount=amount)
    for variant in (Variant.BMN_V2_3, Variant.BMN_V3_0, Variant.BMN_V4_0):
        assert _read(
            variant, "PostInteractionEscrowCreated(address,bytes32,address,address,uint256)", topics, plain
        ) == PostInteractionEscrowCreated(
            escrow=escrow, hashlock=Hashlock(word), protocol=other, taker=taker, amount=amount
        )
        assert _read(variant, "DstEscrowCreated(address,bytes32,address)", topics, ()) == DstEscrowCreated(
            escrow=escrow, hashlock=Hashlock(word), taker=other
        )


@given(FEE_IMMUTABLES, FEE_COMPLEMENTS)
def test_creations_of_nine_fields(immutables: FeeImmutables, complement: FeeComplement) -> None:
    i, c = (*_words(immutables), immutables.parameters), (*_c(complement), complement.parameters)
    data = ((I9_TYPE, i), (C6_TYPE, c))
    for variant in (Variant.ONE_INCH_V1_2, Variant.BMN_V4_0):
        assert _read(variant, f"SrcEscrowCreated({I9_TYPE},{C6_TYPE})", (), data) == FeeSrcEscrowCreated(
            immutables=immutables, complement=complement
        )
    assert encode_fee_event(immutables, complement) == abi_encode([I9_TYPE, C6_TYPE], [i, c])
    assert encode_fee_immutables(immutables) == abi_encode([I9_TYPE], [i])
    assert decode_fee_immutables(encode_fee_immutables(immutables)) == immutables


@given(FEE_IMMUTABLES, FEE_COMPLEMENTS, st.data())
def test_changed_bytes_are_refused_or_are_other_immutables(
    immutables: FeeImmutables, complement: FeeComplement, data: st.DataObject
) -> None:
    raw = bytearray(encode_fee_event(immutables, complement))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        read = decode_fee_event(bytes(raw))
    except BadInput:
        return
    assert read != (immutables, complement)
    assert encode_fee_event(*read) == raw


@given(AMOUNTS, AMOUNTS, ADDRESSES, ADDRESSES)
def test_fees_read_back(one: TokenAmount, other: TokenAmount, here: Address, there: Address) -> None:
    fees = Fees(resolver_fee=one, integrator_fee=other, resolver_recipient=here, integrator_recipient=there)
    assert encode_fees(fees) == abi_encode(
        ["uint256", "uint256", "address", "address"], [one, other, str(here), str(there)]
    )
    assert decode_fees(encode_fees(fees)) == fees


def _topics_of(variant: Variant) -> list[bytes]:
    lines = (line for lines in INTERFACES[variant].values() for line in lines)
    entries = (parse_entry(line) for line in lines)
    return [topic(entry.signature) for entry in entries if entry.kind is EntryKind.EVENT]


@pytest.mark.parametrize("variant", Variant)
@given(data=st.data())
def test_no_log_breaks_the_decoder(variant: Variant, data: st.DataObject) -> None:
    first = data.draw(st.sampled_from(_topics_of(variant)) | HASHES)
    topics = (first, *data.draw(st.lists(HASHES | ADDRESSES.map(lambda each: bytes(12) + each), max_size=3)))
    size = 32 * data.draw(st.integers(0, 20)) + data.draw(st.sampled_from([0, 0, 0, 1]))
    body = data.draw(st.binary(min_size=size, max_size=size) | st.just(bytes(size)))
    event = decode_variant_log(variant, RawLog(address=ZERO_ADDRESS, topics=topics, data=body))
    if len(body) % 32 and not isinstance(event, Unreadable):
        raise AssertionError(event)


@pytest.mark.parametrize("variant", Variant)
@given(data=st.data())
def test_no_calldata_breaks_the_decoder(variant: Variant, data: st.DataObject) -> None:
    lines = sorted(line for lines in INTERFACES[variant].values() for line in lines if line.startswith("function "))
    entry = parse_entry(data.draw(st.sampled_from(lines)))
    calldata = topic(entry.signature)[:4] + data.draw(st.binary(max_size=320))
    try:
        call = decode_call(variant, calldata)
    except BadInput:
        return
    assert call is not None
    assert call.name == entry.name
