"""Writes down the figures of each minute, told from the database, so that every instance would write the same."""

from datetime import UTC, datetime

from bmn.jobs.deps import JobDeps
from bmn.pg.depth import load_depth
from bmn.pg.kv import sweep_expired_entries
from bmn.pg.pool import Connection, connection
from bmn.pg.runs import Metrics, trim_runs
from bmn.store.journal import load_head
from bmn.store.metrics import save_minute
from bmn.store.swaps import count_swaps


async def run(deps: JobDeps) -> Metrics:
    """Measure once, and remove what has expired."""
    now = deps.clock.now()
    async with connection(deps.pool) as conn:
        figures = await _measure(conn, deps, now)
        trimmed = await trim_runs(conn)
    await save_minute(deps.kv, datetime.fromtimestamp(now, UTC), figures)
    expired = await sweep_expired_entries(deps.pool)
    return {"figures": len(figures), "expired": expired, "trimmed": trimmed}


async def _measure(conn: Connection, deps: JobDeps, now: float) -> dict[str, float]:
    figures: dict[str, float] = {f"swaps.{state}": count for state, count in (await count_swaps(conn)).items()}
    for queue in await load_depth(conn):
        figures[f"queue.{queue.queue}.waiting"] = queue.ready + queue.delayed
        figures[f"queue.{queue.queue}.leased"] = queue.leased
        figures[f"queue.{queue.queue}.dead"] = queue.dead
        figures[f"queue.{queue.queue}.oldest_seconds"] = queue.oldest_seconds
    for spec in deps.specs.values():
        head = await load_head(conn, spec.id)
        if head is not None:
            figures[f"chain.{spec.name}.block"] = head.number
            figures[f"chain.{spec.name}.head_age_seconds"] = now - head.seen_at
    return figures
