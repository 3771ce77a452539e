"""Forgets the secrets of swaps that are over for good."""

from typing import Final

from bmn.jobs.deps import JobDeps
from bmn.pg.pool import transaction
from bmn.pg.runs import Metrics
from bmn.store.wiping import wipe_finished

_BATCH: Final = 1000


async def run(deps: JobDeps) -> Metrics:
    """Wipe until nothing is left that may go."""
    wiped = 0
    while True:
        async with transaction(deps.pool) as conn:
            some = await wipe_finished(conn, limit=_BATCH)
        wiped += some
        if some < _BATCH:
            return {"wiped": wiped}
