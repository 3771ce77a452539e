"""The escrows of open swaps, for who watches their windows."""

from dataclasses import dataclass

from bmn.core.immutables import decode_immutables
from bmn.core.swap import State
from bmn.core.timelocks import Timelocks
from bmn.core.units import ChainId, Hashlock
from bmn.core.windows import Side
from bmn.pg.pool import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEscrow:
    """An escrow that nobody emptied yet, of a swap that is not over."""

    hashlock: Hashlock
    state: State
    """Of the swap."""
    chain_id: ChainId
    side: Side
    timelocks: Timelocks


_AT_ONCE = 500

_OPEN = """
SELECT s.hashlock, s.state, e.chain_id, e.side, e.immutables
FROM swaps s
JOIN escrows e ON e.hashlock = s.hashlock AND e.order_hash = s.order_hash AND e.orphaned_at IS NULL
WHERE NOT s.terminal AND NOT EXISTS (
    SELECT FROM journal j WHERE j.hashlock = s.hashlock AND j.chain_id = e.chain_id AND j.emitter = e.address
    AND j.orphaned_at IS NULL AND j.kind IN ('escrow_withdrawal', 'escrow_cancelled'))
"""


async def load_open_escrows(conn: Connection) -> list[OpenEscrow]:
    """Return them all. Other work goes on in between."""
    async with conn.transaction():
        return [
            OpenEscrow(
                hashlock=Hashlock(row["hashlock"]),
                state=State(row["state"]),
                chain_id=ChainId(row["chain_id"]),
                side=Side(row["side"]),
                timelocks=decode_immutables(row["immutables"]).timelocks,
            )
            async for row in conn.cursor(_OPEN, prefetch=_AT_ONCE)
        ]
