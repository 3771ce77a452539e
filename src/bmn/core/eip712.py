"""EIP-712: the digest a maker signs, which is also the order's id."""

from dataclasses import dataclass

from bmn.core.hashing import keccak
from bmn.core.order import Order, encode_order
from bmn.core.units import Address, ChainId, Hash32, OrderHash
from bmn.core.words import encode_address, encode_uint

DOMAIN_TYPEHASH = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
ORDER_TYPEHASH = keccak(
    b"Order(uint256 salt,address maker,address receiver,address makerAsset,address takerAsset,"
    b"uint256 makingAmount,uint256 takingAmount,uint256 makerTraits)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Where a signature counts. Read it from the contract's `eip712Domain()`, never assume it."""

    name: str
    """Of the signing protocol, e.g. `1inch Limit Order Protocol`."""
    version: str
    """Of the signing protocol, e.g. `4`."""
    chain_id: ChainId
    """The source chain."""
    verifying_contract: Address
    """The limit order protocol contract there."""


def domain_separator(domain: Domain) -> Hash32:
    """Return the hash of the domain. Source: EIP-712."""
    return Hash32(
        keccak(
            DOMAIN_TYPEHASH
            + keccak(domain.name.encode())
            + keccak(domain.version.encode())
            + encode_uint(domain.chain_id)
            + encode_address(domain.verifying_contract)
        )
    )


def order_struct_hash(order: Order) -> Hash32:
    """Return the hash of the order without its domain; never an id by itself."""
    return Hash32(keccak(ORDER_TYPEHASH + encode_order(order)))


def order_hash(domain: Domain, order: Order) -> OrderHash:
    """Return the digest that is signed and names the order; equals the contract's `hashOrder`."""
    return OrderHash(keccak(b"\x19\x01" + domain_separator(domain) + order_struct_hash(order)))
