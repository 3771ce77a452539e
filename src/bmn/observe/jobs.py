"""Events of scheduled jobs. Labels are names of jobs, chains, components, roles and assets; never of schedules."""

import math

import structlog
from prometheus_client import Counter, Gauge, Histogram

_log = structlog.get_logger("bmn.jobs")

_RUNS = Counter("bmn_job_runs_total", "Runs of jobs, by outcome.", ["job", "outcome"])
_SECONDS = Histogram(
    "bmn_job_seconds",
    "Time of a run that succeeded.",
    ["job"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
_DROPPED = Counter("bmn_job_ticks_dropped_total", "Ticks that never ran: missed, or an older run was in the way.")
_RESTORED = Counter("bmn_swaps_restored_total", "Rows of swaps that contradicted their history and were put back.")
_REMAINING = Gauge(
    "bmn_timelock_remaining_seconds",
    "Least chain time until a window opens, over the escrows of open swaps; NaN when none waits for it.",
    ["chain", "stage"],
)
_UP = Gauge("bmn_component_up", "1 while a component is well, 0 while it is not.", ["component"])
_BALANCE = Gauge(
    "bmn_balance", "What an account or contract of ours holds, in whole coins.", ["chain", "role", "asset"]
)
_FLOOR = Gauge("bmn_balance_floor", "Below this it holds too little, in whole coins.", ["chain", "role", "asset"])


def ticker_waits(code: str) -> None:
    """Schedules could not be looked at, and are again soon."""
    _log.warning("ticker_waits", code=code)


def schedule_unreadable(schedule: str, detail: str) -> None:
    """A later version registered a schedule that this one cannot read; it is left to others."""
    _log.warning("schedule_unreadable", schedule=schedule, detail=detail)


def ticks_dropped(schedule: str, count: int) -> None:
    """Ticks never run."""
    _DROPPED.inc(count)
    _log.info("ticks_dropped", schedule=schedule, count=count)


def job_succeeded(job: str, schedule: str, seconds: float) -> None:
    """A run ended well."""
    _RUNS.labels(job, "succeeded").inc()
    _SECONDS.labels(job).observe(seconds)
    _log.debug("job_succeeded", job=job, schedule=schedule, seconds=round(seconds, 3))


def job_failed(job: str, schedule: str, code: str, attempt: int) -> None:
    """A run failed; it is tried again or given up."""
    _RUNS.labels(job, "failed").inc()
    _log.warning("job_failed", job=job, schedule=schedule, code=code, attempt=attempt)


def swap_restored(hashlock: str) -> None:
    """The row of a swap was not what its history says; it was put back, and the swap is decided again."""
    _RESTORED.inc()
    _log.error("swap_restored", hashlock=hashlock)


def timelock_watched(chain: str, stage: str, remaining: int | None) -> None:
    """The escrow nearest to a stage was looked for."""
    _REMAINING.labels(chain, stage).set(math.nan if remaining is None else remaining)


def component_checked(component: str, detail: str, *, healthy: bool, changed: bool) -> None:
    """Something we stand on was looked at; only a change is told."""
    _UP.labels(component).set(int(healthy))
    if changed and healthy:
        _log.info("component_recovered", component=component, detail=detail)
    elif changed:
        _log.error("component_down", component=component, detail=detail)


def balance_read(chain: str, role: str, asset: str, balance: float, floor: float, *, low: bool) -> None:
    """A balance of ours was read."""
    _BALANCE.labels(chain, role, asset).set(balance)
    _FLOOR.labels(chain, role, asset).set(floor)
    if low:
        _log.warning("balance_low", chain=chain, role=role, asset=asset, balance=balance, floor=floor)


def balance_unread(chain: str, role: str, asset: str, code: str) -> None:
    """A balance of ours could not be read; the last one stays."""
    _log.warning("balance_unread", chain=chain, role=role, asset=asset, code=code)
