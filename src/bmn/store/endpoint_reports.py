"""What running processes know of their endpoints, kept for a minute under `endpoints/HOLDER`: for people."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, NoReturn

import msgspec

from bmn.core.errors import TransientError
from bmn.evm.vitals import EndpointReport
from bmn.observe import chain as observe
from bmn.pg.kv import Kv
from bmn.seams import Clock

PREFIX: Final = "endpoints/"
EVERY_SECONDS: Final = 15.0
_KEPT_SECONDS: Final = 60.0
_PROCESSES: Final = 1000


async def run_endpoint_reports(
    kv: Kv, holder: str, read: Callable[[], Sequence[EndpointReport]], clock: Clock
) -> NoReturn:
    """Keep what `read` returns fresh, for the process `holder`, until cancelled."""
    while True:
        try:
            await kv.set(PREFIX + holder, msgspec.json.encode(read()), expires_in=_KEPT_SECONDS)
        except TransientError as error:
            observe.reports_not_kept(error.code)
        await clock.sleep(EVERY_SECONDS)


async def load_endpoint_reports(kv: Kv) -> list[EndpointReport]:
    """Return the reports of all processes of the last minute, joined."""
    entries = await kv.list_range(prefix=PREFIX, limit=_PROCESSES)
    kept = [msgspec.json.decode(entry.value, type=list[EndpointReport]) for entry in entries]
    return join_reports(report for reports in kept for report in reports)


def join_reports(reports: Iterable[EndpointReport]) -> list[EndpointReport]:
    """Return one report for each endpoint: calls, requests and widths add up, the rest is of who rests it longest."""
    joined: dict[tuple[str, str], EndpointReport] = {}
    for report in reports:
        place = (report.chain, report.endpoint)
        before = joined.get(place)
        if before is None:
            joined[place] = report
            continue
        longest = max(before, report, key=lambda one: (one.rests_for, one.reason != "", one.calls_hour))
        joined[place] = replace(
            longest,
            calls_hour=before.calls_hour + report.calls_hour,
            calls_day=before.calls_day + report.calls_day,
            in_flight=before.in_flight + report.in_flight,
            width=before.width + report.width,
        )
    return list(joined.values())
