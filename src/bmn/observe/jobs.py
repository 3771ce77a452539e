"""Events of scheduled jobs. Labels are names of jobs, chains and components, and codes; never of schedules."""

import structlog
from prometheus_client import Counter, Histogram

_log = structlog.get_logger("bmn.jobs")

_RUNS = Counter("bmn_job_runs_total", "Runs of jobs, by outcome.", ["job", "outcome"])
_SECONDS = Histogram(
    "bmn_job_seconds",
    "Time of a run that succeeded.",
    ["job"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
_DROPPED = Counter("bmn_job_ticks_dropped_total", "Ticks that never ran: missed, or an older run was in the way.")


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
