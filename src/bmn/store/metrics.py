"""Figures of each minute, kept for a month: `metrics/minutes/2026-11-24T03:05` holds them all, by name.

A figure is a gauge (how many messages wait) or a total that only rises (how many swaps were settled), whose
differences are what happened in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from bmn.pg.kv import Kv

PREFIX: Final = "metrics/minutes/"
KEPT_SECONDS: Final = 30 * 86_400.0
_PAGE: Final = 1000
_FORMAT: Final = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """The figures of one minute."""

    at: datetime
    """Its beginning, UTC."""
    figures: Mapping[str, float]


async def save_minute(kv: Kv, at: datetime, figures: Mapping[str, float]) -> None:
    """Keep the figures of the minute that `at` lies in; again in the same minute, the later ones stay."""
    await kv.set(_key(at), msgspec.json.encode(dict(figures)), expires_in=KEPT_SECONDS)


async def load_minutes(kv: Kv, start: datetime, end: datetime) -> list[Minute]:
    """Return the minutes that begin in [`start`, `end`), the oldest first; those that nobody measured are left out."""
    minutes: list[Minute] = []
    after: str | None = None
    while True:
        page = await kv.list_range(prefix=PREFIX, start=_key(start), end=_key(end), after=after, limit=_PAGE)
        minutes += [
            Minute(
                at=datetime.strptime(entry.key.removeprefix(PREFIX), _FORMAT).replace(tzinfo=UTC),
                figures=msgspec.json.decode(entry.value, type=dict[str, float]),
            )
            for entry in page
        ]
        if len(page) < _PAGE:
            return minutes
        after = page[-1].key


def _key(at: datetime) -> str:
    return PREFIX + at.astimezone(UTC).strftime(_FORMAT)
