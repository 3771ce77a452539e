import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmn.core.errors import BadInput, PermanentError, TransientError
from bmn.seams import SystemRng
from bmn.store.sealing import KEY_SIZE, Sealer, header_of, key_id_of

KEY = bytes(range(32))
SEALER = Sealer(KEY, SystemRng())
HEADER = 1 + 8
SIZE = HEADER + 12 + 32 + 16 + 12 + 32 + 16
PLAIN, CONTEXT = b"a secret of thirty-two bytes....", b"secret:1"


# Sealed by the first version, under KEY with CONTEXT.
VERSION_ONE = bytes.fromhex(
    "016465666768696a6b6c6d6e6f293bad031a9b33ea1e0d39c8ae0d038f36bb2b7efc03d310dea5c93bd58d8b66bf956f64e3b756d47cef1d62448fa986"
)


def cannot_open(sealer: Sealer, sealed: bytes, context: bytes = CONTEXT) -> None:
    with pytest.raises(PermanentError) as caught:
        sealer.open(sealed, context)
    assert caught.value.code == "UNSEAL_FAILED"
    assert PLAIN.decode() not in str(caught.value)
    assert caught.value.__suppress_context__


def cannot_find_the_key(sealer: Sealer, sealed: bytes) -> None:
    with pytest.raises(TransientError) as caught:
        sealer.open(sealed, CONTEXT)
    assert caught.value.code == "SECRETS_KEY_UNKNOWN"
    assert sealed[1:HEADER].hex() in str(caught.value)


@given(st.binary(max_size=300), st.binary(max_size=80))
def test_what_was_sealed_opens_again(plain: bytes, context: bytes) -> None:
    sealed = SEALER.seal(plain, context)
    assert SEALER.open(sealed, context) == plain
    assert len(sealed) == SIZE - 32 + len(plain)
    assert sealed.startswith(header_of(key_id_of(KEY)))


@given(st.integers(min_value=0, max_value=8 * SIZE - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    sealed = bytearray(SEALER.seal(PLAIN, CONTEXT))
    sealed[bit // 8] ^= 1 << bit % 8
    if 1 <= bit // 8 < HEADER:
        cannot_find_the_key(SEALER, bytes(sealed))
    else:
        cannot_open(SEALER, bytes(sealed))


@given(st.integers(min_value=0, max_value=SIZE - 1))
def test_nothing_can_be_cut_off(size: int) -> None:
    cannot_open(SEALER, SEALER.seal(PLAIN, CONTEXT)[:size])


def test_nothing_can_be_added() -> None:
    cannot_open(SEALER, SEALER.seal(PLAIN, CONTEXT) + b"\x00")


@pytest.mark.parametrize("context", [b"", b"secret:2", b"tx:1", CONTEXT + b"\x00"])
def test_another_context_does_not_open_it(context: bytes) -> None:
    cannot_open(SEALER, SEALER.seal(PLAIN, CONTEXT), context)


def test_another_key_does_not_open_it_and_the_one_needed_is_named() -> None:
    cannot_find_the_key(Sealer(bytes(32), SystemRng()), SEALER.seal(PLAIN, CONTEXT))


def test_another_key_under_the_same_name_does_not_open_it() -> None:
    other = Sealer(bytes(32), SystemRng())
    sealed = SEALER.seal(PLAIN, CONTEXT)
    cannot_open(other, header_of(other.key_id) + sealed[HEADER:])


def test_what_the_first_version_sealed_opens_with_any_of_the_keys() -> None:
    assert SEALER.open(VERSION_ONE, CONTEXT) == PLAIN
    assert Sealer(bytes(32), SystemRng(), others=[KEY]).open(VERSION_ONE, CONTEXT) == PLAIN
    cannot_open(SEALER, VERSION_ONE, b"secret:2")
    cannot_open(Sealer(bytes(32), SystemRng()), VERSION_ONE)


def test_a_second_key_opens_and_seals_only_where_it_is_named() -> None:
    both = Sealer(bytes(32), SystemRng(), others=[KEY])
    assert both.key_ids == (key_id_of(bytes(32)), key_id_of(KEY))
    assert both.open(SEALER.seal(PLAIN, CONTEXT), CONTEXT) == PLAIN
    assert SEALER.open(both.seal(PLAIN, CONTEXT, SEALER.key_id), CONTEXT) == PLAIN
    cannot_find_the_key(SEALER, both.seal(PLAIN, CONTEXT))
    with pytest.raises(TransientError, match="SECRETS_KEY_UNKNOWN"):
        SEALER.seal(PLAIN, CONTEXT, key_id_of(bytes(32)))


@given(st.binary(min_size=32, max_size=32))
def test_the_name_of_a_key_tells_nothing_of_it(key: bytes) -> None:
    assert key_id_of(key) not in key
    assert len(key_id_of(key)) == 8


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_another_version_is_not_opened(version: int) -> None:
    cannot_open(SEALER, bytes([version]) + SEALER.seal(PLAIN, CONTEXT)[1:])


def test_the_same_value_is_never_sealed_to_the_same_bytes() -> None:
    sealed = {SEALER.seal(PLAIN, CONTEXT) for _ in range(100)}
    assert len(sealed) == 100
    assert not [one for one in sealed if PLAIN in one]


@pytest.mark.parametrize("size", [0, 16, KEY_SIZE - 1, KEY_SIZE + 1])
def test_a_key_has_exactly_its_size(size: int) -> None:
    with pytest.raises(BadInput, match="BAD_SEALING_KEY"):
        Sealer(bytes(size), SystemRng())


def test_the_key_is_not_printed() -> None:
    assert repr(SEALER) == f"{SEALER}" == "Sealer(…)"
