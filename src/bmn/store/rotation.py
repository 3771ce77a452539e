"""The key of a running system: checked at start, replaced while everything runs."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from bmn.core.errors import ConfigError, PermanentError, Refused, TransientError
from bmn.pg.pool import Connection, Pool, connection, transaction
from bmn.seams import Clock
from bmn.seams.crash import crashpoint
from bmn.store.sealed import check_nameless, count_sealed, reseal
from bmn.store.sealing import KeyId, Sealer
from bmn.store.sealing_key import (
    choose_key,
    drop_key_holder,
    load_sealing_key,
    retire_previous,
    save_key_holder,
    turn_to,
)

_SAY_SECONDS = 15.0
_LEAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """Where a rotation stands."""

    resealed: int
    """By this run."""
    left: int
    """Still sealed under other keys."""


async def adopt_key(pool: Pool, sealer: Sealer, holder: str) -> None:
    """Before process `holder` stores anything: say which keys it has, and check them.

    On a new database its own key is the one in use from now on.

    Raises:
        ConfigError: SECRETS_KEY_WRONG.
    """
    async with connection(pool) as conn:
        await save_key_holder(conn, holder, sealer)
    # After that: a rotation has either seen us, or is seen here.
    try:
        async with transaction(pool) as conn:
            await choose_key(conn, sealer.key_id)
            await check_key(conn, sealer)
    except ConfigError:
        await _leave(pool, holder)
        raise


async def check_key(conn: Connection, sealer: Sealer) -> None:
    """Check that `sealer` opens what is stored.

    Raises:
        ConfigError: SECRETS_KEY_WRONG.
    """
    current = await load_sealing_key(conn)
    for needed in () if current is None else (current.key_id, current.previous_id):
        if needed is not None and needed not in sealer.key_ids:
            ours = ", ".join(key_id.hex() for key_id in sealer.key_ids)
            raise _wrong(f"the database is sealed under key {needed.hex()}, and we were given {ours}")
    try:
        await check_nameless(conn, sealer)
    except PermanentError as error:
        raise _wrong("the database holds secrets that the keys we were given do not open") from error


async def run_key_holder(pool: Pool, sealer: Sealer, holder: str, clock: Clock) -> None:
    """Go on saying which keys process `holder` has, until cancelled."""
    try:
        while True:
            await clock.sleep(_SAY_SECONDS)
            with suppress(TransientError):  # said again in a moment
                async with connection(pool) as conn:
                    await save_key_holder(conn, holder, sealer)
    finally:
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await _leave(pool, holder)


async def rotate(
    pool: Pool, sealer: Sealer, key_id: KeyId, *, tell: Callable[[Rotated], None], batch: int = 100
) -> Rotated:
    """Seal everything under `key_id`, which `sealer` holds beside the keys before. Others may read and write meanwhile.

    May be killed at any point and run again. `tell` hears how it goes after each `batch` values.

    Raises:
        Refused: as `turn_to`; SECRETS_UNREADABLE, after all others, when some values cannot be opened.
        TransientError: SECRETS_KEY_UNKNOWN.
    """
    async with transaction(pool) as conn:
        await turn_to(conn, key_id)
    crashpoint("rotate.turned")
    async with connection(pool) as conn:
        left = sum(one.count for one in await count_sealed(conn) if one.key_id != key_id)
        tell(Rotated(resealed=0, left=left))
        resealed = unreadable = 0
        async for opened in reseal(conn, sealer, key_id, batch=batch):
            crashpoint("rotate.resealed")
            resealed, unreadable = resealed + opened, unreadable + (not opened)
            if resealed and resealed % batch == 0:
                tell(Rotated(resealed=resealed, left=max(left - resealed, 0)))
        if unreadable:
            raise Refused(
                "SECRETS_UNREADABLE",
                f"{unreadable} sealed values cannot be opened; {resealed} are under the new key",
                hint="keep the keys before; see `bmn secrets status`, and compare with a backup",
            )
        crashpoint("rotate.resealed_all")
        await retire_previous(conn, key_id)
    return Rotated(resealed=resealed, left=0)


async def _leave(pool: Pool, holder: str) -> None:
    async with connection(pool) as conn:
        await drop_key_holder(conn, holder)


def _wrong(detail: str) -> ConfigError:
    return ConfigError(
        "SECRETS_KEY_WRONG",
        detail,
        hint="start with the key that was in use; during a rotation with both, one key a line",
    )
