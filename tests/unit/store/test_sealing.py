import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmn.core.errors import BadInput, PermanentError
from bmn.seams import SystemRng
from bmn.store.sealing import KEY_SIZE, Sealer

KEY = bytes(range(32))
SEALER = Sealer(KEY, SystemRng())
PLAIN, CONTEXT = b"a secret of thirty-two bytes....", b"secret:1"


def cannot_open(sealer: Sealer, sealed: bytes, context: bytes = CONTEXT) -> None:
    with pytest.raises(PermanentError) as caught:
        sealer.open(sealed, context)
    assert caught.value.code == "UNSEAL_FAILED"
    assert PLAIN.decode() not in str(caught.value)
    assert caught.value.__suppress_context__


@given(st.binary(max_size=300), st.binary(max_size=80))
def test_what_was_sealed_opens_again(plain: bytes, context: bytes) -> None:
    sealed = SEALER.seal(plain, context)
    assert SEALER.open(sealed, context) == plain
    assert len(sealed) == 1 + 12 + len(plain) + 16


@given(st.integers(min_value=0, max_value=8 * (1 + 12 + 32 + 16) - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    sealed = bytearray(SEALER.seal(PLAIN, CONTEXT))
    sealed[bit // 8] ^= 1 << bit % 8
    cannot_open(SEALER, bytes(sealed))


@given(st.integers(min_value=0, max_value=1 + 12 + 32 + 15))
def test_nothing_can_be_cut_off(size: int) -> None:
    cannot_open(SEALER, SEALER.seal(PLAIN, CONTEXT)[:size])


def test_nothing_can_be_added() -> None:
    cannot_open(SEALER, SEALER.seal(PLAIN, CONTEXT) + b"\x00")


@pytest.mark.parametrize("context", [b"", b"secret:2", b"tx:1", CONTEXT + b"\x00"])
def test_another_context_does_not_open_it(context: bytes) -> None:
    cannot_open(SEALER, SEALER.seal(PLAIN, CONTEXT), context)


def test_another_key_does_not_open_it() -> None:
    cannot_open(Sealer(bytes(32), SystemRng()), SEALER.seal(PLAIN, CONTEXT))


@pytest.mark.parametrize("version", [0, 2, 255])
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
    assert repr(SEALER) == "Sealer(…)"
