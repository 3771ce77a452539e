"""What `/health` says of the things we stand on."""

from collections.abc import Iterable

from bmn.api.ports import Component
from bmn.core.chain import ChainSpec
from bmn.core.errors import TransientError
from bmn.pg.pool import Pool, connection
from bmn.seams import Clock
from bmn.store.journal import load_head

_STALE_BLOCKS = 10
_STALE_AT_LEAST = 15.0


async def check_components(pool: Pool, specs: Iterable[ChainSpec], clock: Clock) -> dict[str, Component]:
    """Return the health of the database and of the journal of each chain."""
    try:
        async with connection(pool) as conn:
            heads = {spec.name: (spec, await load_head(conn, spec.id)) for spec in specs}
    except TransientError as error:
        return {"database": Component(healthy=False, detail=error.code)}
    components = {"database": Component(healthy=True, detail="answers")}
    for name, (spec, head) in heads.items():
        if head is None:
            components[name] = Component(healthy=False, detail="no block was read yet")
            continue
        age = clock.now() - head.seen_at
        if head.halted is not None:
            components[name] = Component(healthy=False, detail=head.halted, head_age=age)
            continue
        limit = max(_STALE_AT_LEAST, _STALE_BLOCKS * spec.block_time)
        components[name] = Component(healthy=age <= limit, detail=f"block {head.number}", head_age=age)
    return components
