"""The bloom filter of a header: may the block hold a log of an address or topic? Source: Yellow Paper, 4.3.1."""

from bmn.core.hashing import keccak


def bloom_mask(item: bytes) -> int:
    """Return the three bits that an address or topic sets; compute it once per watched item."""
    digest = keccak(item)
    mask = 0
    for start in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[start : start + 2], "big") & 2047)
    return mask


def may_contain(bloom: bytes, mask: int) -> bool:
    """Whether a block with this `bloom` may hold the item of `mask`; False is certain if the node is honest."""
    return int.from_bytes(bloom, "big") & mask == mask
