"""How long a claim of ten messages takes when many wait."""

import time

from bench.report import Figure
from bench.state.loops import latencies
from bench.state.rig import Rig
from bmn.pg.pool import connection
from bmn.pg.queue import claim

_CLAIMS = 50
_LEASE_SECONDS = 60.0  # none comes back during the measurement

_FILL = """
INSERT INTO messages (queue, kind, priority, run_at, key, payload)
SELECT $1, 'step@1', 1, clock_timestamp(), sha256(convert_to($1 || number::text, 'UTF8')), '\\x00'
FROM generate_series(1, $2::int) AS number
"""


async def measure_claims(rig: Rig, backlog: int) -> list[Figure]:
    """Claim ten of `backlog` due messages, fifty times."""
    queue = f"backlog-{backlog}"
    async with connection(rig.pool) as conn:
        await conn.execute(_FILL, queue, backlog)
        await conn.execute("ANALYZE messages")
    taken: list[float] = []
    for _ in range(_CLAIMS):
        began = time.perf_counter()
        claimed = await claim(rig.pool, [queue], 10, _LEASE_SECONDS)
        taken.append(time.perf_counter() - began)
        assert len(claimed) == 10
    async with connection(rig.pool) as conn:
        await conn.execute("DELETE FROM messages WHERE queue = $1", queue)
    found = latencies(taken)
    name = f"claim 10 of a backlog of {backlog:,}"
    return [Figure(name=f"{name}, {tail}", unit="ms", value=found[f"{tail}_ms"]) for tail in ("p50", "p99")]
