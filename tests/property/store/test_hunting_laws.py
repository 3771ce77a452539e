"""The hunt for planted secrets sees a secret however it is written."""

import base64

from hypothesis import given
from hypothesis import strategies as st
from tests.support.hunting import shows

from bmn.core.hashing import keccak

SECRETS = st.binary(min_size=32, max_size=32)
AROUND = st.binary(max_size=40)


@given(SECRETS, AROUND, AROUND)
def test_a_secret_shows_in_every_writing_of_what_holds_it(secret: bytes, before: bytes, after: bytes) -> None:
    held = before + secret + after
    for text in (
        held.hex(),
        held.hex().upper(),
        base64.b64encode(held).decode(),
        base64.urlsafe_b64encode(held).decode(),
        str(list(held)),
        str(list(held)).replace(" ", ""),
        held.hex().encode().hex(),
        f"secret={int.from_bytes(secret)}",
    ):
        assert shows(text, secret)


@given(SECRETS, AROUND, AROUND, st.integers(min_value=0, max_value=24))
def test_eight_bytes_of_it_are_enough(secret: bytes, before: bytes, after: bytes, at: int) -> None:
    assert shows((before + secret[at : at + 8] + after).hex(), secret)


@given(st.integers(min_value=0, max_value=2**64))
def test_other_secrets_do_not_show(number: int) -> None:
    one, other = keccak(b"one %d" % number), keccak(b"other %d" % number)
    assert not shows(f"{other!r} {other.hex()} {base64.b64encode(other).decode()} {list(other)}", one)
