"""Our transactions, signatures and recovery are byte for byte those of eth-account."""

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from bmn.core.hashing import keccak
from bmn.core.units import Address, ChainId, Gas, Hash32, Nonce, Wei
from bmn.evm.signer import CURVE_ORDER, LocalSigner, Signature, recover
from bmn.evm.tx import UnsignedTx, sign_tx

KEYS = st.integers(1, CURVE_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
WORDS = st.integers(0, 2**256 - 1)
TRANSACTIONS = st.builds(
    UnsignedTx,
    chain_id=st.integers(1, 2**40).map(ChainId),
    nonce=st.integers(0, 2**64 - 2).map(Nonce),
    max_priority_fee_per_gas=st.integers(0, 2**64).map(Wei),
    max_fee_per_gas=st.integers(2**64, 2**80).map(Wei),
    gas=st.integers(21_000, 2**40).map(Gas),
    to=st.none() | st.binary(min_size=20, max_size=20).map(Address),
    value=WORDS.map(Wei),
    data=st.binary(max_size=600),
)


def oracle_tx(key: bytes, tx: UnsignedTx) -> Any:
    fields: dict[str, object] = {
        "type": 2,
        "chainId": tx.chain_id,
        "nonce": tx.nonce,
        "maxPriorityFeePerGas": tx.max_priority_fee_per_gas,
        "maxFeePerGas": tx.max_fee_per_gas,
        "gas": tx.gas,
        "value": tx.value,
        "data": tx.data,
    }
    if tx.to is not None:
        fields["to"] = bytes(tx.to)
    return Account.from_key(key).sign_transaction(fields)


@settings(max_examples=60, deadline=None)
@given(KEYS, TRANSACTIONS)
async def test_signed_transactions_are_the_oracles_bytes(key: bytes, tx: UnsignedTx) -> None:
    signer = LocalSigner(key)
    ours = await sign_tx(signer, tx)
    theirs = oracle_tx(key, tx)
    assert ours.raw == bytes(theirs.raw_transaction)
    assert ours.hash == bytes(theirs.hash)
    assert str(ours.sender) == Account.from_key(key).address
    assert ours.nonce == tx.nonce


@settings(max_examples=60, deadline=None)
@given(KEYS, WORDS)
async def test_signatures_are_the_oracles_and_recover_to_the_signer(key: bytes, word: int) -> None:
    digest = Hash32.from_word(word)
    signer = LocalSigner(key)
    ours = await signer.sign_digest(digest)
    theirs = Account.unsafe_sign_hash(bytes(digest), key)
    assert (ours.r, ours.s, ours.y_parity + 27) == (theirs.r, theirs.s, theirs.v)
    assert ours.to_bytes() == bytes(theirs.signature)
    assert recover(digest, ours) == signer.address


async def test_typed_data_signed_by_the_oracle_recovers_to_its_signer() -> None:
    message = encode_typed_data(
        domain_data={"name": "x", "version": "1", "chainId": 1},
        message_types={"Mail": [{"name": "text", "type": "string"}]},
        message_data={"text": "hello"},
    )
    account = Account.from_key((7).to_bytes(32, "big"))
    signed = account.sign_message(message)
    digest = Hash32(bytes(signed.message_hash))
    assert str(recover(digest, Signature.from_bytes(bytes(signed.signature)))) == account.address


@pytest.mark.parametrize(
    ("text", "r", "vs"),
    [  # Source: EIP-2098, test cases
        (
            b"Hello World",
            "68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90",
            "7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064",
        ),
        (
            b"It's a small(er) world",
            "9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76",
            "939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793",
        ),
    ],
)
async def test_compact_form_is_that_of_eip_2098(text: bytes, r: str, vs: str) -> None:
    signer = LocalSigner(bytes.fromhex("1234567890123456789012345678901234567890123456789012345678901234"))
    digest = Hash32(keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text))
    signature = await signer.sign_digest(digest)
    assert signature.to_compact().hex() == r + vs
    assert signature.vs.hex() == vs
    assert Signature.from_bytes(signature.to_compact()) == signature
