"""Which key seals what is stored from now on, and who runs with which keys. The database says, so that all agree."""

from dataclasses import dataclass
from datetime import datetime

from bmn.core.errors import Refused
from bmn.pg.pool import Connection
from bmn.store.sealing import KeyId, Sealer

_HOLDER_SECONDS = 60.0

_CHOOSE = "INSERT INTO sealing (key_id) VALUES ($1) ON CONFLICT DO NOTHING"

# The row is locked, so that nobody stores under a key that a finished rotation has retired.
_SHARE = "SELECT key_id FROM sealing FOR SHARE"

_LOAD = "SELECT key_id, previous_id, since FROM sealing"

_TURN = """
UPDATE sealing SET key_id = $1, previous_id = key_id, since = clock_timestamp()
WHERE key_id <> $1 AND previous_id IS NULL
"""

_RETIRE = "UPDATE sealing SET previous_id = NULL WHERE key_id = $1"

_HOLD = """
INSERT INTO key_holders (holder, key_ids) VALUES ($1, $2)
ON CONFLICT (holder) DO UPDATE SET key_ids = $2, seen_at = clock_timestamp()
"""

_FORGET = "DELETE FROM key_holders WHERE seen_at < clock_timestamp() - interval '1 hour'"

_DROP = "DELETE FROM key_holders WHERE holder = $1"

_HOLDERS = """
SELECT holder, key_ids, seen_at FROM key_holders
WHERE seen_at > clock_timestamp() - make_interval(secs => $1) ORDER BY holder
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingKey:
    """The key in use; while `previous_id` is set, a rotation is not finished."""

    key_id: KeyId
    previous_id: KeyId | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """A process that was running moments ago."""

    holder: str
    key_ids: tuple[KeyId, ...]
    seen_at: datetime


async def seal_stored(conn: Connection, sealer: Sealer, plain: bytes, context: bytes) -> bytes:
    """Seal `plain` under the key in use. A turn to another key waits until the caller's transaction has ended.

    Raises:
        TransientError: SECRETS_KEY_UNKNOWN, `sealer` was not given that key.
    """
    return sealer.seal(plain, context, await conn.fetchval(_SHARE))


async def choose_key(conn: Connection, key_id: KeyId) -> None:
    """On a new database, let `key_id` be the key in use. A turn under way is waited for."""
    await conn.execute(_CHOOSE, key_id)
    await conn.execute(_SHARE)


async def load_sealing_key(conn: Connection) -> SealingKey | None:
    """Return the key in use; None on a database on which nothing ran yet."""
    row = await conn.fetchrow(_LOAD)
    if row is None:
        return None
    return SealingKey(key_id=row["key_id"], previous_id=row["previous_id"], since=row["since"])


async def turn_to(conn: Connection, key_id: KeyId) -> None:
    """Seal everything new under `key_id`; whoever is storing something under the key before is waited for.

    Raises:
        Refused: SECRETS_ROTATION_OPEN, a rotation to another key is not finished; SECRETS_KEY_NOT_EVERYWHERE.
            The caller's transaction must not stand.
    """
    await conn.execute(_TURN, key_id)
    current = await load_sealing_key(conn)
    if current is None or current.key_id != key_id:
        raise Refused(
            "SECRETS_ROTATION_OPEN",
            "the rotation to another key is not finished" + (f": {current.key_id.hex()}" if current else ""),
            hint="finish it first: bmn secrets rotate --new-key-file FILE, with the file of that key",
        )
    # After the turn: who starts from here on waits for it, and is refused without the key.
    lacking = [one.holder for one in await load_key_holders(conn) if key_id not in one.key_ids]
    if lacking:
        raise Refused(
            "SECRETS_KEY_NOT_EVERYWHERE",
            f"running without the key {key_id.hex()}: {', '.join(lacking)}",
            hint="add it as a further line to the secrets keys of those processes, restart them, then rotate",
        )


async def retire_previous(conn: Connection, key_id: KeyId) -> None:
    """Say that nothing is sealed under another key than `key_id` any more."""
    await conn.execute(_RETIRE, key_id)


async def save_key_holder(conn: Connection, holder: str, sealer: Sealer) -> None:
    """Say that process `holder` is running, and with which keys."""
    await conn.execute(_HOLD, holder, list(sealer.key_ids))
    await conn.execute(_FORGET)


async def drop_key_holder(conn: Connection, holder: str) -> None:
    """Say that process `holder` has ended."""
    await conn.execute(_DROP, holder)


async def load_key_holders(conn: Connection) -> list[KeyHolder]:
    """Return the processes that were running within the last minute."""
    return [
        KeyHolder(holder=row["holder"], key_ids=tuple(row["key_ids"]), seen_at=row["seen_at"])
        for row in await conn.fetch(_HOLDERS, _HOLDER_SECONDS)
    ]
