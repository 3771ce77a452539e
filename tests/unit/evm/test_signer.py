import copy
import pickle

import pytest

from bmn.core.errors import BadInput, Refused
from bmn.core.units import ChainId, Gas, Hash32, Nonce, Wei
from bmn.evm.devkeys import DEV_ADDRESSES, dev_signer
from bmn.evm.signer import CURVE_ORDER, LocalSigner, Signature, recover
from bmn.evm.tx import UnsignedTx, sign_tx

KEY = bytes(31) + b"\x07"
DIGEST = Hash32(b"\x11" * 32)


def test_a_key_does_not_print_pickle_or_copy_itself() -> None:
    signer = LocalSigner(KEY)
    assert repr(signer) == f"LocalSigner({signer.address})"
    assert not hasattr(signer, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    with pytest.raises(TypeError):
        copy.deepcopy(signer)


@pytest.mark.parametrize("number", [1, CURVE_ORDER - 1])
def test_a_key_may_be_the_first_or_the_last_of_the_curve(number: int) -> None:
    assert LocalSigner(number.to_bytes(32, "big")).address


@pytest.mark.parametrize(
    "key", [bytes(32), CURVE_ORDER.to_bytes(32, "big"), b"\xff" * 32, b"\x01" * 31, b"\x01" * 33, b""]
)
def test_a_key_outside_the_curve_is_refused_without_echo(key: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        LocalSigner(key)
    assert caught.value.code == "BAD_KEY"
    assert not key or key.hex() not in str(caught.value)


async def test_a_signature_in_the_upper_half_is_refused() -> None:
    good = await LocalSigner(KEY).sign_digest(DIGEST)
    twin = good.to_bytes()[:32] + (CURVE_ORDER - good.s).to_bytes(32, "big") + bytes((27 + 1 - good.y_parity,))
    with pytest.raises(BadInput):
        Signature.from_bytes(twin)


def test_s_may_be_half_the_order_and_no_more() -> None:
    assert Signature(r=1, s=CURVE_ORDER // 2, y_parity=0)
    for r, s, parity in [(1, CURVE_ORDER // 2 + 1, 0), (0, 1, 0), (CURVE_ORDER, 1, 0), (1, 0, 0), (1, 1, 2)]:
        with pytest.raises(BadInput):
            Signature(r=r, s=s, y_parity=parity)


@pytest.mark.parametrize("size", [0, 63, 66])
def test_a_signature_has_64_or_65_bytes(size: int) -> None:
    with pytest.raises(BadInput):
        Signature.from_bytes(b"\x01" * size)


@pytest.mark.parametrize(("v", "parity"), [(0, 0), (1, 1), (27, 0), (28, 1), (2, None), (26, None), (29, None)])
def test_v_is_0_1_27_or_28(v: int, parity: int | None) -> None:
    data = b"\x01" * 64 + bytes((v,))
    if parity is None:
        with pytest.raises(BadInput):
            Signature.from_bytes(data)
    else:
        assert Signature.from_bytes(data).y_parity == parity


async def test_another_digest_recovers_to_somebody_else() -> None:
    signature = await LocalSigner(KEY).sign_digest(DIGEST)
    assert recover(DIGEST, signature) == LocalSigner(KEY).address
    assert recover(Hash32(b"\x12" * 32), signature) != LocalSigner(KEY).address


def test_a_signature_no_key_could_make_is_refused() -> None:
    with pytest.raises(BadInput):
        recover(DIGEST, Signature(r=5, s=1, y_parity=0))  # 5 is the x of no point


def test_derived_keys_are_stable_and_differ_by_purpose_and_key() -> None:
    signer = LocalSigner(KEY)
    sealing = signer.derive_key(b"seal")
    # Worked out with hmac alone; a change here would lock every maker out of stored secrets.
    assert sealing.hex() == "dab0f498316cd6e77bfd524d810565889b35ad5fc46cb4680a9a717f5b907884"
    assert sealing == LocalSigner(KEY).derive_key(b"seal")
    assert sealing != signer.derive_key(b"other")
    assert sealing != LocalSigner(bytes(31) + b"\x08").derive_key(b"seal")
    assert sealing != KEY


async def test_calldata_does_not_print() -> None:
    secret = b"\xab" * 32
    unsigned = UnsignedTx(
        chain_id=ChainId(1),
        nonce=Nonce(0),
        max_priority_fee_per_gas=Wei(1),
        max_fee_per_gas=Wei(1),
        gas=Gas(21_000),
        to=DEV_ADDRESSES[0],
        value=Wei(0),
        data=secret,
    )
    signed = await sign_tx(LocalSigner(KEY), unsigned)
    for text in (repr(unsigned), repr(signed)):
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text


def test_dev_keys_are_those_of_the_well_known_accounts() -> None:
    for index, address in enumerate(DEV_ADDRESSES):
        assert dev_signer(index, [ChainId(31337), ChainId(31338)]).address == address


def test_dev_keys_refuse_real_chains_even_beside_dev_chains() -> None:
    with pytest.raises(Refused) as caught:
        dev_signer(0, [ChainId(31337), ChainId(8453)])
    assert caught.value.code == "DEV_KEY_ON_REAL_CHAIN"
    assert dev_signer(0, [ChainId(31337), ChainId(1337)], dev_chain_ids=[ChainId(1337)])


@pytest.mark.parametrize("index", [-1, 10])
def test_there_are_ten_dev_keys(index: int) -> None:
    with pytest.raises(BadInput):
        dev_signer(index, [ChainId(31337)])
