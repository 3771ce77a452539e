"""The key that seals secrets is checked at start, and replaced while everything runs."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.support.hand_clock import HandClock
from tests.support.sealed_values import (
    BOTH,
    NEW,
    NEW_KEY,
    OLD,
    OLD_KEY,
    OTHER,
    OTHER_KEY,
    assert_opens,
    keys_in_use,
    put_sealed,
    secret_number,
)
from tests.support.stored_swaps import put_swap

from bmn.core.errors import ConfigError, Refused, TransientError
from bmn.core.units import Hashlock
from bmn.pg.pool import Connection, Pool, connection, transaction
from bmn.seams import SystemRng
from bmn.store import sealed, wiping
from bmn.store.rotation import Rotated, adopt_key, rotate, run_key_holder
from bmn.store.sealing import Sealer
from bmn.store.sealing_key import drop_key_holder, load_key_holders, load_sealing_key, turn_to
from bmn.store.secrets import load_secret, save_secret, secret_context

SWAPS = range(1, 6)
ALL_SEALED = 3 * len(SWAPS)


async def put_old(pool: Pool) -> None:
    await adopt_key(pool, BOTH, "first")
    for number in SWAPS:
        await put_sealed(pool, number, BOTH)


async def to_new(pool: Pool, **more: int) -> Rotated:
    return await rotate(pool, BOTH, NEW.key_id, tell=lambda _: None, **more)


async def unname_keys(pool: Pool, key: bytes) -> None:
    """Let every secret be as the first version sealed it."""
    async with connection(pool) as conn:
        for number in SWAPS:
            secret = secret_number(number)
            nonce = SystemRng().token_bytes(12)
            context = secret_context(secret.hashlock)
            sealed = b"\x01" + nonce + AESGCM(key).encrypt(nonce, secret.reveal(), context)
            await conn.execute("UPDATE secrets SET sealed = $2 WHERE hashlock = $1", secret.hashlock, sealed)


async def test_afterwards_all_is_under_the_new_key_and_the_old_may_go(store: Pool) -> None:
    await put_old(store)
    told: list[Rotated] = []
    done = await rotate(store, BOTH, NEW.key_id, tell=told.append, batch=4)
    assert done == Rotated(resealed=ALL_SEALED, left=0)
    assert [one.left for one in told] == [15, 11, 7, 3]
    async with connection(store) as conn:
        assert await keys_in_use(conn) == {NEW.key_id}
    await assert_opens(store, SWAPS, NEW)
    await adopt_key(store, NEW, "later")


async def test_doing_it_again_changes_nothing_and_it_can_be_turned_back(store: Pool) -> None:
    await put_old(store)
    await to_new(store)
    assert await to_new(store) == Rotated(resealed=0, left=0)
    await rotate(store, BOTH, OLD.key_id, tell=lambda _: None)
    await assert_opens(store, SWAPS, OLD)


async def test_values_that_do_not_name_their_key_are_rotated_too(store: Pool) -> None:
    await put_old(store)
    await unname_keys(store, OLD_KEY)
    async with connection(store) as conn:
        assert await keys_in_use(conn) == {None, OLD.key_id}
    await assert_opens(store, SWAPS, BOTH)
    await to_new(store)
    await assert_opens(store, SWAPS, NEW)


async def test_everybody_goes_on_reading_and_writing(store: Pool) -> None:
    await put_old(store)
    stop, written = asyncio.Event(), [*SWAPS]

    async def read() -> None:
        while not stop.is_set():
            await assert_opens(store, SWAPS, BOTH)

    async def write() -> None:
        while not stop.is_set() or len(written) < 10:
            await put_sealed(store, written[-1] + 1, BOTH)
            written.append(written[-1] + 1)

    async with asyncio.TaskGroup() as group:
        for work in (read, read, write):
            group.create_task(work())
        for _ in range(3):
            await to_new(store, batch=2)
            await rotate(store, BOTH, OLD.key_id, tell=lambda _: None, batch=2)
        await to_new(store, batch=2)
        stop.set()
    await assert_opens(store, range(1, written[-1] + 1), NEW)


async def test_whoever_is_storing_under_the_old_key_is_waited_for(store: Pool) -> None:
    await put_old(store)
    secret = secret_number(77)
    await put_swap(store, 77, secret=secret)
    async with transaction(store) as conn:
        await save_secret(conn, secret, BOTH)
        turning = asyncio.create_task(to_new(store))
        async with connection(store) as other:
            await until_waiting(other)
            current = await load_sealing_key(other)
        assert current is not None
        assert current.key_id == OLD.key_id
    assert (await turning).resealed == ALL_SEALED + 1
    async with connection(store) as conn:
        assert await load_secret(conn, secret.hashlock, NEW) == secret


def queries() -> list[str]:
    """All that reads sealed values, with the values in place."""
    shapes = (sealed._COUNTS, sealed._NAMELESS, sealed._OTHERS)
    read = [shape.format(rows=column.rows) for column in sealed._COLUMNS for shape in shapes]
    held = [one.replace("$1", "'x'::bytea").replace("NOT id = ANY ($2)", "true").replace("$3", "100") for one in read]
    return [*held, wiping._WIPE.replace("$1", "86400").replace("$2", "100")]


async def until_waiting(conn: Connection) -> None:
    query = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    async def is_waiting() -> bool:
        found: bool = await conn.fetchval(query)
        return found

    await until(is_waiting)


@pytest.mark.parametrize("point", ["rotate.turned", "rotate.resealed", "rotate.resealed:7", "rotate.resealed_all"])
async def test_killed_anywhere_it_is_finished_by_the_next_run(
    store: Pool, postgres: str, tmp_path: Path, point: str
) -> None:
    await put_old(store)
    async with connection(store) as conn:
        await drop_key_holder(conn, "first")
    dsn = await dsn_of(store, postgres)
    write_settings(tmp_path, [OLD_KEY, NEW_KEY])
    code, _, _ = await bmn(tmp_path, dsn, "secrets", "rotate", "--new-key-file", "new.key", BMN_CRASHPOINT=point)
    assert code == -signal.SIGKILL
    await assert_opens(store, SWAPS, BOTH)
    with pytest.raises(ConfigError, match="SECRETS_KEY_WRONG"):
        await adopt_key(store, NEW, "too early")
    code, said, remarks = await bmn(tmp_path, dsn, "secrets", "rotate", "--new-key-file", "new.key")
    assert code == 0, remarks
    assert NEW.key_id.hex() in said
    await assert_opens(store, SWAPS, NEW)
    await adopt_key(store, NEW, "afterwards")


async def dsn_of(pool: Pool, server: str) -> str:
    async with connection(pool) as conn:
        return urlunsplit(urlsplit(server)._replace(path="/" + await conn.fetchval("SELECT current_database()")))


def write_settings(folder: Path, keys: list[bytes]) -> None:
    for name, held in (("secrets.key", keys), ("new.key", [NEW_KEY]), ("other.key", [OTHER_KEY])):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text("".join(f"{key.hex()}\n" for key in held))
    (folder / "bmn.toml").write_text('[resolver]\ndev_keys = [0]\nsecrets_key_file = "secrets.key"\n')


async def bmn(folder: Path, dsn: str, *words: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bmn", *words),
        cwd=folder,
        env=os.environ | {"BMN_DATABASE_URL": dsn} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        said, remarks = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(), remarks.decode()


async def refusal(work: Awaitable[object]) -> str:
    with pytest.raises((Refused, ConfigError)) as caught:
        await work
    return caught.value.code


async def test_it_does_not_begin_while_a_process_runs_without_the_new_key(store: Pool) -> None:
    await put_old(store)
    await adopt_key(store, OLD, "not restarted")
    assert await refusal(to_new(store)) == "SECRETS_KEY_NOT_EVERYWHERE"
    async with connection(store) as conn:
        assert await keys_in_use(conn) == {OLD.key_id}
        current = await load_sealing_key(conn)
        assert current is not None
        assert (current.key_id, current.previous_id) == (OLD.key_id, None)
        await drop_key_holder(conn, "not restarted")
    await to_new(store)


async def test_a_process_that_was_not_seen_for_a_minute_is_not_waited_for(store: Pool) -> None:
    await put_old(store)
    await adopt_key(store, OLD, "gone")
    async with connection(store) as conn:
        await conn.execute("UPDATE key_holders SET seen_at = clock_timestamp() - interval '59 s' WHERE holder = 'gone'")
        assert await refusal(to_new(store)) == "SECRETS_KEY_NOT_EVERYWHERE"
        await conn.execute("UPDATE key_holders SET seen_at = clock_timestamp() - interval '61 s' WHERE holder = 'gone'")
    await to_new(store)


async def test_a_process_says_which_keys_it_has_until_it_ends(store: Pool) -> None:
    clock = HandClock(0)
    await adopt_key(store, BOTH, "it")
    async with connection(store) as conn:
        await conn.execute("UPDATE key_holders SET seen_at = clock_timestamp() - interval '2 hours'")
        assert await load_key_holders(conn) == []
        task = asyncio.create_task(run_key_holder(store, BOTH, "it", clock))

        async def is_seen() -> bool:
            await clock.advance(20)
            return len(await load_key_holders(conn)) == 1

        await until(is_seen)
        [holder] = await load_key_holders(conn)
        assert (holder.holder, holder.key_ids) == ("it", (OLD.key_id, NEW.key_id))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert await load_key_holders(conn) == []


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_another_rotation_waits_for_the_one_that_is_not_finished(store: Pool) -> None:
    await put_old(store)
    async with transaction(store) as conn:
        await drop_key_holder(conn, "first")
        await turn_to(conn, NEW.key_id)
    three = Sealer(OLD_KEY, SystemRng(), others=[NEW_KEY, OTHER_KEY])
    assert await refusal(rotate(store, three, OTHER.key_id, tell=lambda _: None)) == "SECRETS_ROTATION_OPEN"
    await to_new(store)
    await rotate(store, three, OTHER.key_id, tell=lambda _: None)
    await assert_opens(store, SWAPS, OTHER)


async def test_what_cannot_be_opened_is_counted_and_keeps_the_old_key(store: Pool) -> None:
    await put_old(store)
    damaged = secret_number(SWAPS[2]).hashlock
    async with connection(store) as conn:
        await conn.execute("UPDATE secrets SET sealed = sealed || '\\x00' WHERE hashlock = $1", damaged)
    assert await refusal(to_new(store)) == "SECRETS_UNREADABLE"
    async with connection(store) as conn:
        assert await keys_in_use(conn) == {OLD.key_id, NEW.key_id}
        current = await load_sealing_key(conn)
        assert current is not None
        assert current.previous_id == OLD.key_id
        await conn.execute("DELETE FROM secrets WHERE hashlock = $1", damaged)
    assert (await to_new(store)).resealed == 0
    await adopt_key(store, NEW, "later")


async def test_the_first_process_on_a_database_chooses_the_key(store: Pool) -> None:
    await adopt_key(store, BOTH, "first")
    await adopt_key(store, OLD, "second")
    assert await refusal(adopt_key(store, NEW, "third")) == "SECRETS_KEY_WRONG"
    async with connection(store) as conn:
        assert [one.holder for one in await load_key_holders(conn)] == ["first", "second"]
        current = await load_sealing_key(conn)
        assert current is not None
        assert current.key_id == OLD.key_id


async def test_a_key_that_does_not_open_what_an_older_version_sealed_is_refused(store: Pool) -> None:
    for number in SWAPS:
        await put_sealed(store, number, BOTH)
    await unname_keys(store, OTHER_KEY)
    assert await refusal(adopt_key(store, OLD, "wrong")) == "SECRETS_KEY_WRONG"
    async with connection(store) as conn:
        assert await load_sealing_key(conn) is None
    await adopt_key(store, Sealer(OLD_KEY, SystemRng(), others=[OTHER_KEY]), "right")


async def test_two_processes_with_different_keys_cannot_both_start_on_a_new_database(store: Pool) -> None:
    outcomes = await asyncio.gather(
        *(adopt_key(store, sealer, f"{number}") for number, sealer in enumerate((OLD, NEW, OTHER))),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConfigError)]
    assert (outcomes.count(None), len(refused)) == (1, 2)


async def test_a_process_without_the_key_stores_nothing_and_tries_again(store: Pool) -> None:
    await put_old(store)
    terms = await put_swap(store, 77, secret=secret_number(77))
    with pytest.raises(TransientError, match="SECRETS_KEY_UNKNOWN"):
        async with transaction(store) as conn:
            await save_secret(conn, secret_number(77), NEW)
    async with connection(store) as conn:
        assert await load_secret(conn, Hashlock(terms.hashlock), BOTH) is None


async def test_status_shows_counts_and_keys_and_opens_nothing(store: Pool, postgres: str, tmp_path: Path) -> None:
    await put_old(store)
    dsn = await dsn_of(store, postgres)
    write_settings(tmp_path, [OTHER_KEY])
    code, said, remarks = await bmn(tmp_path, dsn, "secrets", "status", "--json")
    assert code == 0, remarks
    status = json.loads(said)
    assert status["key_id"] == "0x" + OLD.key_id.hex()
    assert status["previous_key_id"] is None
    found = {(one["kind"], one["key_id"]): one["count"] for one in status["sealed"]}
    assert found == {(kind, "0x" + OLD.key_id.hex()): len(SWAPS) for kind in ("secret", "calldata", "transaction")}
    assert all(one["oldest"] for one in status["sealed"])
    code, said, _ = await bmn(tmp_path, dsn, "secrets", "status")
    assert code == 0
    assert OLD.key_id.hex() in said


async def test_a_key_that_the_settings_do_not_hold_is_not_gone_over_to(
    store: Pool, postgres: str, tmp_path: Path
) -> None:
    await put_old(store)
    dsn = await dsn_of(store, postgres)
    write_settings(tmp_path, [OLD_KEY, NEW_KEY])
    code, _, remarks = await bmn(tmp_path, dsn, "secrets", "rotate", "--new-key-file", "other.key")
    assert code == 4
    assert remarks.startswith("SECRETS_KEY_NOT_EVERYWHERE")
    assert OTHER_KEY.hex() not in remarks


async def test_what_is_still_sealed_is_found_without_reading_what_was_wiped(store: Pool) -> None:
    await put_old(store)
    async with connection(store) as conn:
        await conn.execute(
            """
            INSERT INTO intents (action, ordinal, chain_id, signer, nonce, target, calldata, value, gas, urgency,
                                 bears_secret, state, wanted)
            SELECT 'pay', 0, 1, decode(repeat('11', 20), 'hex'), n, decode(repeat('22', 20), 'hex'), '', 0, 1, 0,
                   true, 'done', false
            FROM generate_series(1, 20000) n
            """
        )
        await conn.execute(
            """
            INSERT INTO txs (hash, intent_id, chain_id, signer, nonce, raw, max_fee, priority_fee, signed_at, is_cancel)
            SELECT sha256(id::text::bytea), id, chain_id, signer, nonce, '', 1, 1, 1, false FROM intents
            WHERE calldata = ''
            """
        )
        await conn.execute("ANALYZE intents, txs, secrets")
        for query in queries():
            plan = "\n".join(row[0] for row in await conn.fetch("EXPLAIN " + query))
            assert "Seq Scan on intents" not in plan, plan
            assert "Seq Scan on txs" not in plan, plan
