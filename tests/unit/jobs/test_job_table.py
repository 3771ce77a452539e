"""The jobs that run unless a person says otherwise."""

import pytest

from bmn.core.errors import ConfigError
from bmn.jobs.table import JOBS, build_schedules, policy_of
from bmn.pg.queue import Priority
from bmn.pg.schedules import Missed, Overlap, kind_of
from bmn.seams import SystemRng


def test_these_jobs_run_at_these_times() -> None:
    assert {schedule.name: schedule.spec for schedule in build_schedules({})} == {
        "timelock-monitor": "*/10 * * * * *",
        "state-sync": "* * * * *",
        "health-check": "*/30 * * * * *",
        "balance-monitor": "* * * * *",
        "metrics-aggregator": "* * * * *",
        "secret-sweep": "0 * * * *",
    }


def test_the_timelock_monitor_retries_after_one_five_and_ten_seconds() -> None:
    schedule = build_schedules({})[0]
    policy = policy_of(kind_of(schedule.job))
    assert schedule.max_attempts == 4
    assert [policy.next_delay(attempt, SystemRng()) for attempt in (1, 2, 3, 4)] == [1.0, 5.0, 10.0, None]
    assert schedule.priority is Priority.CRITICAL
    assert schedule.missed is Missed.ONCE


def test_no_job_runs_beside_itself_or_for_ever() -> None:
    for schedule in build_schedules({}):
        assert schedule.overlap is Overlap.FORBID
        assert schedule.max_attempts is not None


def test_settings_change_times() -> None:
    changed = {one.name: one for one in build_schedules({"state-sync": ("every 5m", "Europe/Berlin")})}
    assert (changed["state-sync"].spec, changed["state-sync"].zone) == ("every 5m", "Europe/Berlin")
    assert len(changed) == len(JOBS)


def test_an_unknown_job_in_the_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"schedules\.state-sink: there is no such job"):
        build_schedules({"state-sink": ("every 5m", "UTC")})
