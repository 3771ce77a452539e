"""Calls and errors of other contracts are read by name; the tables hold together."""

import pytest
from tests.support.swap_values import A_SECRET, IMMUTABLES

from bmn.bindings import create3_calls, escrow_calls, factory_calls
from bmn.bindings.abi import selector, topic
from bmn.bindings.codec import decode, encode, split_types
from bmn.bindings.variant_interfaces import (
    Entry,
    EntryKind,
    Named,
    contracts_with,
    decode_call,
    decode_error,
    parse_entry,
)
from bmn.bindings.variant_tables import INTERFACES, NINE_FIELD_IMMUTABLES
from bmn.bindings.variants import Variant
from bmn.core.errors import BadInput
from bmn.core.timelocks import pack_timelocks
from bmn.core.units import Address, Hash32, UnixTime
from bmn.core.words import encode_uint

LINES = sorted({line for table in INTERFACES.values() for lines in table.values() for line in lines})
EIGHT = (
    IMMUTABLES.order_hash,
    IMMUTABLES.hashlock,
    IMMUTABLES.maker.word,
    IMMUTABLES.taker.word,
    IMMUTABLES.token.word,
    IMMUTABLES.amount,
    IMMUTABLES.safety_deposit,
    pack_timelocks(IMMUTABLES.timelocks),
)


@pytest.mark.parametrize("line", LINES)
def test_every_line_is_of_types_that_we_read(line: str) -> None:
    entry = parse_entry(line)
    assert f"{entry.name}{entry.types}" == entry.signature
    with pytest.raises(BadInput, match="BAD_ABI"):
        decode(entry.types, b"\1")
    assert len(entry.indexed) == (len(split_types(entry.types)) if entry.kind is EntryKind.EVENT else 0)


@pytest.mark.parametrize("variant", Variant)
def test_no_two_entries_of_a_variant_share_a_selector(variant: Variant) -> None:
    entries = {parse_entry(line) for lines in INTERFACES[variant].values() for line in lines}
    keys = [
        (entry.kind, topic(entry.signature), sum(entry.indexed))
        if entry.kind is EntryKind.EVENT
        else (entry.kind, selector(entry.signature), 0)
        for entry in entries
    ]
    assert len(keys) == len(set(keys))


def test_calls_that_we_write_are_read() -> None:
    data = factory_calls.build_create_dst_escrow(IMMUTABLES, UnixTime(5))
    call = Named(name="createDstEscrow", arguments=(EIGHT, 5))
    assert decode_call(Variant.ONE_INCH_V1, data) == call
    assert decode_call(Variant.BMN_V1_1, data) == call
    assert decode_call(Variant.BMN_V2_3, data) is None


def test_a_call_with_nine_fields_is_read() -> None:
    values = ((*EIGHT, b"fees"),)
    signature = f"createDstEscrow({NINE_FIELD_IMMUTABLES})"
    data = selector(signature) + encode(f"({NINE_FIELD_IMMUTABLES})", values)
    assert decode_call(Variant.BMN_V4_0, data) == Named(name="createDstEscrow", arguments=values)
    with pytest.raises(BadInput, match="BAD_ABI"):
        decode_call(Variant.BMN_V4_0, data + b"\0")


def test_a_withdrawal_does_not_print_its_secret() -> None:
    call = decode_call(Variant.BMN_V1_0, escrow_calls.build_withdraw(A_SECRET, IMMUTABLES))
    assert call is not None
    assert call.arguments[0] == A_SECRET.reveal()
    assert repr(A_SECRET.reveal()) not in repr(call)
    assert repr(call) == "Named(name='withdraw')"


def test_errors_are_read() -> None:
    data = selector("InsufficientBalance(uint256,uint256)") + encode_uint(1) + encode_uint(2)
    assert decode_error(Variant.BMN_V4_0, data) == Named(name="InsufficientBalance", arguments=(1, 2))
    assert decode_error(Variant.BMN_V4_0, selector("InsufficientBalance()")) == Named(
        name="InsufficientBalance", arguments=()
    )
    assert decode_error(Variant.BMN_V4_0, selector("InvalidFeeAmounts()")) is None
    assert decode_error(Variant.BMN_V4_0, b"") is None
    with pytest.raises(BadInput, match="BAD_ABI"):
        decode_error(Variant.BMN_V4_0, data[:-1])


@pytest.mark.parametrize(
    ("signature", "known"),
    [
        (f"createDstEscrow({NINE_FIELD_IMMUTABLES},uint256)", "ede88f38"),
        (f"addressOfEscrowSrc({NINE_FIELD_IMMUTABLES})", "fd6de035"),
        (f"addressOfEscrowDst({NINE_FIELD_IMMUTABLES})", "b4bf21c2"),
        (f"withdraw(bytes32,{NINE_FIELD_IMMUTABLES})", "78a5e1a1"),
        (f"withdrawTo(bytes32,address,{NINE_FIELD_IMMUTABLES})", "4c345901"),
        (f"publicWithdraw(bytes32,{NINE_FIELD_IMMUTABLES})", "3e99ca75"),
        (f"cancel({NINE_FIELD_IMMUTABLES})", "2537a347"),
        (f"publicCancel({NINE_FIELD_IMMUTABLES})", "056fb477"),
        (f"rescueFunds(address,uint256,{NINE_FIELD_IMMUTABLES})", "5e504d03"),
    ],
)
def test_1inch_v1_2_has_the_selectors_of_its_contracts(signature: str, known: str) -> None:
    """The golden vectors have none of this variant."""
    assert selector(signature).hex() == known
    assert contracts_with(Variant.ONE_INCH_V1_2, Entry(kind=EntryKind.FUNCTION, signature=signature))


def test_indexed_parameters_are_part_of_an_event() -> None:
    signature = "DstEscrowCreated(address,bytes32,uint256)"
    plain = Entry(kind=EntryKind.EVENT, signature=signature, indexed=(False, False, False))
    keyed = Entry(kind=EntryKind.EVENT, signature=signature, indexed=(True, True, False))
    assert contracts_with(Variant.BMN_V1_0, plain) == ("CrossChainEscrowFactory",)
    assert contracts_with(Variant.BMN_V1_0, keyed) == ()
    assert contracts_with(Variant.BMN_V1_1, keyed) == ("CrossChainEscrowFactory",)


def test_a_create3_deployment_is_read() -> None:
    salt, code = Hash32(b"\x05" * 32), b"code" * 20
    data = create3_calls.build_deploy(salt, code)
    assert create3_calls.decode_deploy(data) == (salt, code)
    for other in (data[:-1], data + b"\0", b"", create3_calls.build_get_deployed(Address(bytes(20)), salt)):
        with pytest.raises(BadInput, match="BAD_ABI"):
            create3_calls.decode_deploy(other)
