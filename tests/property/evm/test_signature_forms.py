from hypothesis import given
from hypothesis import strategies as st

from bmn.core.units import Hash32
from bmn.evm.bloom import bloom_mask, may_contain
from bmn.evm.signer import CURVE_ORDER, LocalSigner, Signature, recover

SIGNATURES = st.builds(
    Signature, r=st.integers(1, CURVE_ORDER - 1), s=st.integers(1, CURVE_ORDER // 2), y_parity=st.integers(0, 1)
)


@given(SIGNATURES)
def test_both_forms_round_trip(signature: Signature) -> None:
    assert Signature.from_bytes(signature.to_compact()) == signature
    assert Signature.from_bytes(signature.to_bytes()) == signature


@given(st.integers(1, CURVE_ORDER - 1), st.binary(min_size=32, max_size=32))
async def test_what_a_key_signs_recovers_to_its_account(key: int, digest: bytes) -> None:
    signer = LocalSigner(key.to_bytes(32, "big"))
    assert recover(Hash32(digest), await signer.sign_digest(Hash32(digest))) == signer.address


@given(st.lists(st.binary(min_size=20, max_size=32)), st.binary(min_size=20, max_size=32))
def test_a_bloom_never_denies_what_it_holds(items: list[bytes], item: bytes) -> None:
    bloom = 0
    for each in [*items, item]:
        bloom |= bloom_mask(each)
    assert may_contain(bloom.to_bytes(256, "big"), bloom_mask(item))
    assert not may_contain(bytes(256), bloom_mask(item))
