"""Which jobs there are, and when they are due."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from bmn.core.errors import ConfigError
from bmn.jobs import balance_monitor, health_check, metrics_aggregator, secret_sweep, state_sync, timelock_monitor
from bmn.jobs.deps import JobDeps
from bmn.pg.policy import RetryPolicy
from bmn.pg.queue import Priority
from bmn.pg.runs import Metrics
from bmn.pg.schedules import Job, Missed, Schedule, kind_of

Work: TypeAlias = Callable[[JobDeps], Awaitable[Metrics]]
"""Does it once. May be done twice. Returns what it found or did, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job, and its times unless the settings say otherwise."""

    run: Work
    spec: str
    retry: RetryPolicy
    priority: Priority = Priority.NORMAL
    missed: Missed = Missed.SKIP


_ONCE_MORE: Final = RetryPolicy(first=5.0, longest=5.0, max_retries=1)

# What looks at the present is not made up: the next tick sees the same. Two runs of one job never go on at once.
JOBS: Final[Mapping[Job, Entry]] = {
    Job("timelock-monitor"): Entry(
        run=timelock_monitor.run,
        spec="*/10 * * * * *",
        # 1, 5 and 10 seconds.
        retry=RetryPolicy(first=1.0, factor=5.0, longest=10.0, jitter=0.0, max_retries=3),
        priority=Priority.CRITICAL,
        missed=Missed.ONCE,
    ),
    Job("state-sync"): Entry(
        run=state_sync.run, spec="* * * * *", retry=_ONCE_MORE, priority=Priority.HIGH, missed=Missed.ONCE
    ),
    Job("health-check"): Entry(run=health_check.run, spec="*/30 * * * * *", retry=_ONCE_MORE),
    Job("balance-monitor"): Entry(run=balance_monitor.run, spec="* * * * *", retry=_ONCE_MORE),
    Job("metrics-aggregator"): Entry(run=metrics_aggregator.run, spec="* * * * *", retry=_ONCE_MORE),
    Job("secret-sweep"): Entry(run=secret_sweep.run, spec="0 * * * *", retry=_ONCE_MORE, missed=Missed.ONCE),
}

_POLICIES: Final = {kind_of(job): entry.retry for job, entry in JOBS.items()}


def build_schedules(times: Mapping[str, tuple[str, str]]) -> list[Schedule]:
    """Return the schedule of each job; `times` are spec and zone where they are not the job's own.

    Raises:
        ConfigError: CONFIG_INVALID, there is no such job.
    """
    unknown = sorted(times.keys() - JOBS.keys())
    if unknown:
        raise ConfigError(
            "CONFIG_INVALID", f"schedules.{unknown[0]}: there is no such job", hint=f"jobs are: {', '.join(JOBS)}"
        )
    schedules = []
    for job, entry in JOBS.items():
        spec, zone = times.get(job, (entry.spec, "UTC"))
        schedules.append(
            Schedule(
                name=job,
                job=job,
                spec=spec,
                zone=zone,
                priority=entry.priority,
                max_attempts=entry.retry.max_attempts,
                missed=entry.missed,
            )
        )
    return schedules


def policy_of(kind: str) -> RetryPolicy:
    """Return how failed runs of a kind are tried again."""
    return _POLICIES.get(kind, _ONCE_MORE)
