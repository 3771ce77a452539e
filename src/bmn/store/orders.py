"""Accepted orders. One row for each hashlock, for ever: that is what makes a hashlock used."""

from dataclasses import dataclass

import asyncpg

from bmn.core.compact_signature import CompactSignature
from bmn.core.order import decode_order, encode_order
from bmn.core.signed_order import SignedOrder, SwapTerms
from bmn.core.units import ChainId, Hash32, Hashlock, OrderHash
from bmn.pg.pool import Connection

_INSERT = """
INSERT INTO orders (hashlock, order_hash, maker, src_chain, dst_chain, src_token, dst_token, making_amount,
                    taking_amount, src_deposit, dst_deposit, expires_at, order_words, extension, signature)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT DO NOTHING
"""

_LOAD = "SELECT hashlock, order_hash, src_chain, order_words, extension, signature FROM orders "


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An accepted order as it was submitted."""

    hashlock: Hashlock
    order_hash: OrderHash
    signed: SignedOrder


async def save_order(conn: Connection, signed: SignedOrder, terms: SwapTerms) -> bool:
    """Claim the hashlock for this order; False when the hashlock or the order is known already."""
    inserted: str = await conn.execute(
        _INSERT,
        terms.hashlock,
        terms.order_hash,
        terms.maker,
        terms.src_chain,
        terms.dst_chain,
        terms.src_token,
        terms.dst_token,
        terms.making_amount,
        terms.taking_amount,
        terms.src_deposit,
        terms.dst_deposit,
        terms.expires_at,
        encode_order(signed.order),
        signed.extension,
        signed.signature.r + signed.signature.vs,
    )
    return inserted == "INSERT 0 1"


async def load_order(conn: Connection, hashlock: Hashlock) -> StoredOrder | None:
    """Return the order that claimed `hashlock`, or None."""
    row = await conn.fetchrow(_LOAD + "WHERE hashlock = $1", hashlock)
    return None if row is None else _order(row)


async def load_order_by_hash(conn: Connection, order_hash: OrderHash) -> StoredOrder | None:
    """Return the order with this hash, or None."""
    row = await conn.fetchrow(_LOAD + "WHERE order_hash = $1", order_hash)
    return None if row is None else _order(row)


def _order(row: asyncpg.Record) -> StoredOrder:
    signature: bytes = row["signature"]
    return StoredOrder(
        hashlock=Hashlock(row["hashlock"]),
        order_hash=OrderHash(row["order_hash"]),
        signed=SignedOrder(
            src_chain=ChainId(row["src_chain"]),
            order=decode_order(row["order_words"]),
            extension=row["extension"],
            signature=CompactSignature(r=Hash32(signature[:32]), vs=Hash32(signature[32:])),
        ),
    )
