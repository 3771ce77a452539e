"""Looks at everything we stand on, keeps what it found under `metrics/health/`, and tells of what changed."""

from typing import Final

import msgspec

from bmn.jobs.deps import Health, JobDeps
from bmn.observe import jobs as observe
from bmn.pg.kv import Commit, Set
from bmn.pg.runs import Metrics

PREFIX: Final = "metrics/health/"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one component."""

    healthy: bool
    detail: str
    head_age: float | None
    checked_at: float
    """Host seconds since 1970."""


async def run(deps: JobDeps) -> Metrics:
    """Check each component once."""
    components = await deps.check_components()
    before = {name: await load_health(deps, name) for name in components}
    kept = {name: _checked(health, deps.clock.now()) for name, health in components.items()}
    changes = tuple(Set(key=PREFIX + name, value=msgspec.json.encode(one)) for name, one in sorted(kept.items()))
    await deps.kv.commit(Commit(changes=changes))
    for name, one in kept.items():
        last = before[name]
        was_healthy = last is None or last.healthy
        observe.component_checked(name, one.detail, healthy=one.healthy, changed=was_healthy is not one.healthy)
    return {"components": len(kept), "down": sum(not one.healthy for one in kept.values())}


async def load_health(deps: JobDeps, component: str) -> Checked | None:
    """Return what was found at the last check, None before the first."""
    entry = await deps.kv.get(PREFIX + component)
    return None if entry is None else msgspec.json.decode(entry.value, type=Checked)


def _checked(health: Health, now: float) -> Checked:
    return Checked(healthy=health.healthy, detail=health.detail, head_age=health.head_age, checked_at=now)
