import asyncio
import os
import sys
from pathlib import Path

import asyncpg
import pytest

from bmn.app import LOCATIONS
from bmn.devnet.world import Devnet
from bmn.pg.migrate import upgrade
from bmn.pg.pool import open_pool
from bmn.seams import SystemRng
from bmn.store.rotation import adopt_key
from bmn.store.sealing import Sealer


async def refusal(
    world: Devnet, tmp_path: Path, database: str, words: list[str], *, chain_id: int = 31338
) -> tuple[int, str]:
    """Return exit code and standard error of a command on the world's settings, with that id for its second chain."""
    path = tmp_path / "bmn.toml"
    path.write_text(world.config_path.read_text().replace("id = 31338", f"id = {chain_id}"))
    (tmp_path / "secrets.key").touch(mode=0o600)
    (tmp_path / "secrets.key").write_text("11" * 32)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bmn", *words, "--config", str(path)),
        env=os.environ | {"BMN_DATABASE_URL": database},
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in said
    return process.returncode, said.decode()


async def test_a_wrong_chain_id_is_refused_at_start(world: Devnet, tmp_path: Path, database: str) -> None:
    await upgrade(database, LOCATIONS)
    code, said = await refusal(world, tmp_path, database, ["contracts", "verify"], chain_id=11155111)
    assert (code, said.count("\n")) == (4, 1)
    assert said.startswith("WRONG_CHAIN")


async def test_an_older_database_is_refused_with_the_command_that_helps(
    world: Devnet, tmp_path: Path, database: str
) -> None:
    code, said = await refusal(world, tmp_path, database, ["run"])
    assert code == 4
    assert said.startswith("DATABASE_OLDER")
    assert "bmn migrate" in said


async def test_a_newer_database_is_refused(world: Devnet, tmp_path: Path, database: str) -> None:
    await upgrade(database, LOCATIONS)
    connection = await asyncpg.connect(database)
    await connection.execute(
        "UPDATE bmn_version SET version_num = '9999' WHERE version_num = (SELECT max(version_num) FROM bmn_version)"
    )
    await connection.close()
    for words in (["run"], ["status"], ["migrate"]):
        code, said = await refusal(world, tmp_path, database, words)
        assert code == 4
        assert said.startswith("DATABASE_NEWER")
        assert said.count("\n") == 1


@pytest.mark.parametrize("words", [["run"], ["doctor"]])
async def test_a_database_sealed_under_another_key_is_refused(
    world: Devnet, tmp_path: Path, database: str, words: list[str]
) -> None:
    await upgrade(database, LOCATIONS)
    async with open_pool(database) as pool:
        await adopt_key(pool, Sealer(b"\x22" * 32, SystemRng()), "another")
    code, said = await refusal(world, tmp_path, database, [*words, "--json"])
    assert code == 4
    if words == ["run"]:
        assert said.startswith("SECRETS_KEY_WRONG")
        assert said.count("\n") == 1
    assert "11" * 32 not in said


@pytest.mark.parametrize("words", [["swap", "show", "0x" + "11" * 32], ["queue", "dead", "retry", "7"]])
async def test_what_is_not_there_is_code_three(world: Devnet, tmp_path: Path, database: str, words: list[str]) -> None:
    await upgrade(database, LOCATIONS)
    code, said = await refusal(world, tmp_path, database, words)
    assert (code, said.count("\n")) == (3, 1)


async def test_too_many_decimals_are_refused_before_anything_is_signed(
    world: Devnet, tmp_path: Path, database: str
) -> None:
    give = ("--give", "1.0000000000000000001 BMN", "--get", "1 BMN")
    words = ["order", "create", "--src", "alpha", "--dst", "beta", *give]
    code, said = await refusal(world, tmp_path, database, words)
    assert code == 2
    assert said.startswith("TOO_MANY_DECIMALS")
    assert not (tmp_path / "maker").exists()
