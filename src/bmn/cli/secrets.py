"""`bmn secrets`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from bmn.cli.running import COMMON, Common, answer, columns, read_settings, remark, run_command

if TYPE_CHECKING:
    from bmn.store.rotation import Rotated
    from bmn.store.sealed import SealedCount
    from bmn.store.sealing_key import KeyHolder

app = App(name="secrets", help="Secrets held in the database, and the keys that seal them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What `bmn secrets status` answers."""

    key_id: bytes | None
    """Of the key that seals; None on a database on which nothing ran yet."""
    previous_key_id: bytes | None
    """While a rotation is not finished."""
    sealed: "list[SealedCount]"
    running: "list[KeyHolder]"


@app.command(help_epilogue="Example: bmn secrets status --json")
def status(*, common: Common = COMMON) -> None:
    """Show how many secrets are held, under which keys, and since when; opens none of them."""
    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.pg.pool import connection
    from bmn.store.sealed import count_sealed
    from bmn.store.sealing_key import load_key_holders, load_sealing_key

    settings = read_settings(common)

    async def work() -> Held:
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            key = await load_sealing_key(conn)
            return Held(
                key_id=None if key is None else key.key_id,
                previous_key_id=None if key is None else key.previous_id,
                sealed=await count_sealed(conn),
                running=await load_key_holders(conn),
            )

    held = run_command(work(), common)
    rows = [(one.kind, _name(one.key_id), one.count, one.oldest) for one in held.sealed]
    lines = [f"sealing under key {_name(held.key_id)}"]
    if held.previous_key_id is not None:
        lines.append(f"the rotation from key {_name(held.previous_key_id)} is not finished: run it again")
    lines += columns(["kind", "key", "held", "oldest"], rows, empty="no secrets are held")
    lines += [f"{one.holder} has keys {' '.join(map(_name, one.key_ids))}" for one in held.running]
    answer(as_document(held), lines, common)


@app.command(help_epilogue="Example: bmn secrets rotate --new-key-file next.key")
def rotate(
    *,
    new_key_file: Annotated[Path, Parameter(help="The key to go over to: 64 hex digits.")],
    common: Common = COMMON,
) -> None:
    """Seal everything under another key while everything runs; run it again if it was interrupted.

    First add the new key as a second line to the secrets keys of every process, and restart them one by one. When this
    command is done, remove the old line.
    """
    from bmn.app import open_sealer, open_store
    from bmn.cli.documents import as_document
    from bmn.config.secrets_keys import KeyFile, load_secrets_keys
    from bmn.core.errors import BadInput, Refused
    from bmn.store.rotation import rotate as rotate_all
    from bmn.store.sealing import key_id_of

    settings = read_settings(common)
    keys = load_secrets_keys(KeyFile(path=new_key_file, named_by="--new-key-file"))
    if len(keys) != 1:
        raise BadInput("SECRETS_KEY_BAD", f"{new_key_file} holds {len(keys)} keys", hint="leave only the new one")
    key_id = key_id_of(keys[0])
    sealer = open_sealer(settings)
    if key_id not in sealer.key_ids:
        raise Refused(
            "SECRETS_KEY_NOT_EVERYWHERE",
            f"the settings do not hold the key {key_id.hex()}",
            hint="add it as a second line to the secrets keys of every process, and restart them one by one",
        )

    async def work() -> "Rotated":
        async with open_store(settings) as (_, pool):
            return await rotate_all(pool, sealer, key_id, tell=_tell)

    done = run_command(work(), common)
    document = {"key_id": as_document(key_id), "resealed": done.resealed, "left": done.left}
    answer(document, [f"{done.resealed} sealed again; all is under key {key_id.hex()}"], common)


def _tell(progress: "Rotated") -> None:
    remark(f"{progress.resealed} sealed again, {progress.left} left")


def _name(key_id: bytes | None) -> str:
    return "-" if key_id is None else key_id.hex()
