import pytest
from tests.support.swap_values import MAKER, TOKEN

from bmn.bindings import order_protocol_calls, resolver_calls, token_calls
from bmn.bindings.abi import (
    decode_address_result,
    decode_bool_result,
    decode_dynamic,
    decode_hash_result,
    decode_uint_result,
    encode_dynamic,
)
from bmn.core.errors import BadInput
from bmn.core.units import Seconds, TokenAmount, UnixTime
from bmn.core.words import encode_address, encode_uint


@pytest.mark.parametrize("decode", [decode_address_result, decode_bool_result, decode_hash_result, decode_uint_result])
@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33), bytes(64)])
def test_an_answer_of_another_length_is_refused(decode: object, data: bytes) -> None:
    assert callable(decode)
    with pytest.raises(BadInput, match="BAD_RESULT"):
        decode(data)


def test_a_bool_is_0_or_1() -> None:
    assert [decode_bool_result(encode_uint(value)) for value in (0, 1)] == [False, True]
    with pytest.raises(BadInput, match="no bool"):
        decode_bool_result(encode_uint(2))


def test_no_lock_is_none() -> None:
    assert resolver_calls.decode_lock(bytes(64)) is None
    lock = resolver_calls.decode_lock(encode_address(MAKER) + encode_uint(7))
    assert lock == resolver_calls.Lock(escrow=MAKER, at=UnixTime(7))


def test_a_symbol_is_text_or_32_bytes() -> None:
    assert token_calls.decode_symbol(encode_uint(32) + encode_dynamic(b"USDC")) == "USDC"
    assert token_calls.decode_symbol(b"MKR" + bytes(29)) == "MKR"


def test_a_hostile_symbol_is_cut_and_made_printable() -> None:
    assert token_calls.decode_symbol(encode_uint(32) + encode_dynamic(b"A\x1b[2J" + b"x" * 99)) == "A?[2J" + "x" * 27


def test_77_decimals_are_believed_and_78_are_not() -> None:
    assert token_calls.decode_decimals(encode_uint(77)) == 77
    with pytest.raises(BadInput, match="BAD_RESULT"):
        token_calls.decode_decimals(encode_uint(78))


def test_dynamic_bytes_must_lie_inside_the_answer() -> None:
    answer = encode_uint(32) + encode_dynamic(b"abc")
    assert decode_dynamic(answer, 0) == b"abc"
    for broken in (answer[:66], answer[:32], encode_uint(2**255) + answer[32:], b""):
        with pytest.raises(BadInput, match="BAD_RESULT"):
            decode_dynamic(broken, 0)


def _domain(fields: int = 0x0F, salt: bytes = bytes(32), name: bytes = b"LOP") -> bytes:
    head = (bytes((fields,)) + bytes(31), encode_uint(224), encode_uint(288), encode_uint(10), encode_address(TOKEN))
    tail = (salt, encode_uint(352), encode_dynamic(name), encode_dynamic(b"4"), encode_uint(0))
    return b"".join((*head, *tail))


def test_reads_a_signing_domain() -> None:
    domain = order_protocol_calls.decode_domain(_domain())
    assert (domain.name, domain.version, domain.chain_id, domain.verifying_contract) == ("LOP", "4", 10, TOKEN)


@pytest.mark.parametrize(
    "answer", [_domain(fields=0x1F), _domain(fields=0x07), _domain(salt=b"\1" * 32), _domain(name=b"\xff"), b""]
)
def test_refuses_a_signing_domain_of_another_make(answer: bytes) -> None:
    with pytest.raises(BadInput, match="BAD_RESULT"):
        order_protocol_calls.decode_domain(answer)


@pytest.mark.parametrize(
    "answer", [b"", encode_uint(64) + encode_uint(0), encode_uint(32) + encode_uint(1), encode_uint(32)]
)
def test_refuses_a_batch_answer_that_is_no_array_of_bools(answer: bytes) -> None:
    with pytest.raises(BadInput, match="BAD_RESULT"):
        resolver_calls.decode_try_batch(answer)


def test_reads_a_batch_answer() -> None:
    answer = encode_uint(32) + encode_uint(2) + encode_uint(1) + encode_uint(0)
    assert resolver_calls.decode_try_batch(answer) == (True, False)
    assert resolver_calls.decode_try_batch(encode_uint(32) + encode_uint(0)) == ()


def test_numbers_that_the_contract_would_cut_are_refused() -> None:
    fits = TokenAmount(2**128 - 1)
    resolver_calls.build_set_limit(TOKEN, resolver_calls.TokenLimit(per_lock=fits, per_hour=fits))
    for limit in ((fits + 1, 0), (0, fits + 1)):
        with pytest.raises(BadInput, match="BAD_NUMBER"):
            resolver_calls.build_set_limit(
                TOKEN, resolver_calls.TokenLimit(per_lock=TokenAmount(limit[0]), per_hour=TokenAmount(limit[1]))
            )
    resolver_calls.build_set_min_margin(Seconds(2**32 - 1))
    with pytest.raises(BadInput, match="BAD_NUMBER"):
        resolver_calls.build_set_min_margin(Seconds(2**32))
