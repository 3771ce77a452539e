"""Jobs of a whole program: they run by themselves, are told by command and over HTTP, and obey people."""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
from tests.support.stack import Stack, open_stack, until

JOBS = ["balance-monitor", "health-check", "metrics-aggregator", "secret-sweep", "state-sync", "timelock-monitor"]
TOKEN = "t" * 64
OFTEN = {name: {"spec": "every 1s"} for name in JOBS}


async def jobs(stack: Stack, *words: str) -> Any:
    """Run `bmn jobs` and read its answer."""
    assert stack.settings.database_url is not None
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BMN_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bmn", "jobs", *words, "--json", "--config", str(stack.net.config_path)),
        cwd=stack.net.home,
        env=kept | {"BMN_DATABASE_URL": stack.settings.database_url.get_secret_value()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        said, failed = await process.communicate()
    assert process.returncode == 0, failed.decode()
    return json.loads(said)


async def fetch(port: int, path: str, token: str = TOKEN) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        session.get(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"}) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def test_jobs_run_by_themselves_and_obey_people(tmp_path: Path, postgres: str) -> None:
    port = free_port()
    async with open_stack(tmp_path, postgres) as stack:
        token = stack.net.home / "operator.token"
        token.touch(mode=0o600)
        token.write_text(TOKEN)
        await stack.start(
            BMN_API__OPERATOR_TOKEN_FILE=str(token),
            BMN_API__OPERATOR_PORT=str(port),
            BMN_SCHEDULES=json.dumps(OFTEN),
        )

        async def all_ran() -> bool:
            _, body = await fetch(port, "/api/v1/jobs")
            return [job["name"] for job in body["jobs"] if job["last_run"] and job["last_run"]["success"]] == JOBS

        await until(all_ran, "every job ran")
        status, body = await fetch(port, "/api/v1/jobs")
        assert (status, [job["name"] for job in body["jobs"]]) == (200, JOBS)
        assert {job["words"] for job in body["jobs"]} == {"Every 1 s"}

        status, body = await fetch(port, "/api/v1/jobs/balance-monitor?limit=1")
        assert status == 200
        (run,) = body["runs"]
        assert run["job_name"] == "balance-monitor"
        assert run["metrics"] == {"purses": 8, "low": 0, "unread": 0}
        assert run["execution_time"] > 0
        assert (await fetch(port, "/api/v1/jobs/no-such-job"))[0] == 404
        assert (await fetch(port, "/api/v1/jobs", "wrong"))[0] == 401

        listed = await jobs(stack)
        assert [job["name"] for job in listed] == JOBS
        assert all(job["last"] and job["next_at"] for job in listed)

        await jobs(stack, "pause", "health-check")
        tick = (await jobs(stack, "run", "health-check"))["tick"]

        async def ran_now() -> bool:
            shown = await jobs(stack, "show", "health-check", "--limit", "1")
            return bool(shown["paused"] and shown["runs"][0]["tick"] == tick and shown["runs"][0]["success"])

        await until(ran_now, "the paused job ran once, on demand")
        await jobs(stack, "resume", "health-check")
        assert not (await jobs(stack, "show", "health-check"))["paused"]

        order = await stack.submit_order()
        await stack.reach(order, "AWAIT_SECRET")
        assert (await stack.settle(order)).state == "SETTLED"
        assert stack.service is not None
        assert await stack.service.stop() == 0, stack.service.tail()
