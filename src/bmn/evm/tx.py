"""Type-2 transactions: what is signed, and the bytes a node takes. Source: EIP-2718, EIP-1559."""

from dataclasses import dataclass, field

from bmn.core.hashing import keccak
from bmn.core.units import Address, ChainId, Gas, Hash32, Nonce, TxHash, Wei
from bmn.evm.rlp import Item, encode_rlp
from bmn.evm.signer import Signer

_TYPE = b"\x02"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedTx:
    """A type-2 transaction without access list."""

    chain_id: ChainId
    """The only chain it is valid on."""
    nonce: Nonce
    """Place in the sender's sequence."""
    max_priority_fee_per_gas: Wei
    """Tip, per unit of gas."""
    max_fee_per_gas: Wei
    """Base fee and tip together never exceed it."""
    gas: Gas
    """Limit."""
    to: Address | None
    """None creates a contract."""
    value: Wei
    """Native coin sent along."""
    data: bytes = field(repr=False)
    """Calldata or init code; may carry a secret, so it does not print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTx:
    """Bytes ready to broadcast, and what names them."""

    raw: bytes = field(repr=False)
    """The signed transaction; may carry a secret, so it does not print."""
    hash: TxHash
    """keccak256 of `raw`."""
    sender: Address
    """Who signed."""
    nonce: Nonce
    """Place in the sender's sequence."""


def signing_digest(tx: UnsignedTx) -> Hash32:
    """Return the digest that the sender signs."""
    return Hash32(keccak(_TYPE + encode_rlp(_fields(tx))))


async def sign_tx(signer: Signer, tx: UnsignedTx) -> SignedTx:
    """Sign `tx`.

    Raises:
        ChainError: the signer's key is out of reach for now; nothing was signed.
    """
    signature = await signer.sign_digest(signing_digest(tx))
    raw = _TYPE + encode_rlp([*_fields(tx), signature.y_parity, signature.r, signature.s])
    return SignedTx(raw=raw, hash=TxHash(keccak(raw)), sender=signer.address, nonce=tx.nonce)


def _fields(tx: UnsignedTx) -> list[Item]:
    return [
        tx.chain_id,
        tx.nonce,
        tx.max_priority_fee_per_gas,
        tx.max_fee_per_gas,
        tx.gas,
        tx.to or b"",
        tx.value,
        tx.data,
        [],
    ]
