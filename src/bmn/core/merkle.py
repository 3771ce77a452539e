"""Secrets of an order filled in parts: their tree, its proofs, and which secret a fill must use."""

from collections.abc import Sequence
from dataclasses import dataclass

from bmn.core.errors import BadInput
from bmn.core.hashing import keccak
from bmn.core.units import Hash32, Hashlock, OrderHash, TokenAmount
from bmn.core.words import check_bits, encode_uint

_LOW_240 = (1 << 240) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HashlockInfo:
    """The word in a multi-fill order where a single-fill order has its hashlock."""

    parts: int
    """Into how many parts the order is divided; there is one secret more (16 bits)."""
    root: int
    """Low 240 bits of the tree's root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakerData:
    """What the taker hands the factory to prove which secret a fill uses."""

    proof: tuple[Hash32, ...]
    """Siblings from the leaf upwards."""
    index: int
    """Of the secret (64 bits)."""
    hashlock: Hashlock
    """keccak256 of that secret."""


def secret_leaf(index: int, hashlock: Hashlock) -> Hash32:
    """Return keccak256 of the index as 8 bytes and the hash of the secret.

    Raises:
        BadInput: `index` does not fit 64 bits.
    """
    check_bits("index", index, 64)
    return Hash32(keccak(index.to_bytes(8, "big") + hashlock))


def merkle_root(leaves: Sequence[Hash32]) -> Hash32:
    """Return the root. Source: SimpleMerkleTree of OpenZeppelin, leaves sorted.

    Raises:
        BadInput: no leaves.
    """
    return _tree(leaves)[0]


def merkle_proof(leaves: Sequence[Hash32], leaf: Hash32) -> tuple[Hash32, ...]:
    """Return the siblings of `leaf`, from the bottom to the top.

    Raises:
        BadInput: `leaf` is not one of `leaves`.
    """
    tree = _tree(leaves)
    if leaf not in tree[len(leaves) - 1 :]:
        raise BadInput("BAD_PROOF", "the leaf is not in the tree")
    at = len(tree) - 1 - sorted(leaves).index(leaf)
    proof = []
    while at > 0:
        proof.append(tree[at + 1 if at % 2 else at - 1])
        at = (at - 1) // 2
    return tuple(proof)


def root_of_proof(leaf: Hash32, proof: Sequence[Hash32]) -> Hash32:
    """Return the root that `proof` leads to."""
    node = leaf
    for sibling in proof:
        node = _pair(node, sibling)
    return node


def hashlock_info(leaves: Sequence[Hash32]) -> Hash32:
    """Return `parts << 240 | low 240 bits of the root`; parts is the number of leaves less one.

    Raises:
        BadInput: fewer than 3 leaves or more than 65536.
    """
    if not 3 <= len(leaves) <= 1 << 16:
        raise BadInput("BAD_SECRETS", f"an order in parts has 3 to 65536 secrets, got {len(leaves)}")
    return Hash32.from_word((len(leaves) - 1) << 240 | merkle_root(leaves).word & _LOW_240)


def unpack_hashlock_info(info: Hash32) -> HashlockInfo:
    """Take the word apart."""
    return HashlockInfo(parts=info.word >> 240, root=info.word & _LOW_240)


def validation_key(order_hash: OrderHash, info: Hash32) -> Hash32:
    """Return the key under which the factory remembers the last proof of an order."""
    return Hash32(keccak(order_hash + info[2:]))


def is_proof_valid(info: Hash32, data: TakerData) -> bool:
    """Whether the factory accepts the proof."""
    return root_of_proof(secret_leaf(data.index, data.hashlock), data.proof).word & _LOW_240 == info.word & _LOW_240


def encode_taker_data(data: TakerData) -> bytes:
    """Return the taker interaction's data: offset 0x60, index, secret hash, proof; no outer offset word."""
    return b"".join(
        (encode_uint(0x60), encode_uint(data.index), data.hashlock, encode_uint(len(data.proof)), *data.proof)
    )


def secret_index_for(
    *, order_making: TokenAmount, parts: int, remaining: TokenAmount, making: TokenAmount
) -> int | None:
    """Return the index of the only secret the factory accepts for a fill of `making`; None if there is none.

    `remaining` is the order's making amount before this fill.
    Source: `_isValidPartialFill` of the escrow factory.
    """
    current = (order_making - remaining + making - 1) * parts // order_making
    if remaining == making:
        return current + 1
    if order_making != remaining and (order_making - remaining - 1) * parts // order_making == current:
        return None
    return current


def _tree(leaves: Sequence[Hash32]) -> list[Hash32]:
    if not leaves:
        raise BadInput("BAD_SECRETS", "a tree needs leaves")
    tree = [*leaves[1:], *sorted(leaves, reverse=True)]
    for at in range(len(leaves) - 2, -1, -1):
        tree[at] = _pair(tree[2 * at + 1], tree[2 * at + 2])
    return tree


def _pair(a: Hash32, b: Hash32) -> Hash32:
    return Hash32(keccak(min(a, b) + max(a, b)))
