"""A secret that is on no chain yet is in clear nowhere (money rule 10): tables, backups, logs, metrics, answers."""

import asyncio
import io
import json
import logging
import os
import pickle
import re
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
import structlog
from litestar import Litestar
from tests.support.hunting import columns_that_show, dump_of, server_log, shows
from tests.support.resolver_rig import ResolverRig

from bmn.api.bodies import SecretBody
from bmn.api.components import check_components
from bmn.api.event_routes import encode_event
from bmn.api.operator import build_operator_app
from bmn.api.ports import ApiDeps
from bmn.api.queue_routes import build_queue_routes
from bmn.api.server import build_app
from bmn.core.errors import ChainError
from bmn.core.swap import State
from bmn.core.units import ChainId, OrderHash, Seconds, Secret, Wei
from bmn.devnet.world import OPERATOR_KEYS
from bmn.evm.devkeys import dev_signer
from bmn.evm.tx import UnsignedTx, sign_tx
from bmn.evm.types import SendOutcome
from bmn.messages import QUEUES, wake_swap
from bmn.observe.logs import configure_logs
from bmn.pg.leases import acquire
from bmn.pg.pool import connection, transaction
from bmn.pg.queue import claim
from bmn.pg.worker import run_worker
from bmn.resolver.advance import advance_swap
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.intake import Accepted, accept_order
from bmn.resolver.secret_intake import take_secret
from bmn.resolver.view import list_views, load_view
from bmn.seams import SystemRng
from bmn.store.feed import name_of, open_feed
from bmn.store.sealing import Sealer
from bmn.store.secrets import load_secret
from bmn.store.txs import load_open, load_waiting
from bmn.txmgr.fees import FeePolicy
from bmn.txmgr.lane import Lane

SIGNER_KEY = OPERATOR_KEYS[0]
TOKEN = "operator" * 5


class Mute:
    """A chain that answers everything and takes no transactions."""

    def __init__(self, chain: object) -> None:
        self._chain = chain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    async def send_raw(self, raw: bytes) -> SendOutcome:
        raise ChainError("RPC_UNAVAILABLE", f"no endpoint took {len(raw)} bytes")


class BrokenRng(SystemRng):
    """Fails in the middle of sealing, when what is to be sealed is at hand."""

    def token_bytes(self, size: int) -> bytes:
        raise RuntimeError(f"no {size} random bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """One swap whose secret is planted, and everything that was said meanwhile."""

    rig: ResolverRig
    swap: Accepted
    secret: Secret
    key: bytes
    dsn: str
    logs: io.StringIO
    capsys: pytest.CaptureFixture[str]
    seen: list[object] = field(default_factory=list)
    """Values that carried it, for their texts."""
    texts: list[str] = field(default_factory=list)
    """Answers and tracebacks."""

    async def step(self, *lanes: Lane, deps: ResolverDeps | None = None) -> None:
        """Decide once, let each lane make a pass, read both chains."""
        async with transaction(self.rig.pool) as conn:
            await wake_swap(conn, self.swap.hashlock)
        for claimed in await claim(self.rig.pool, QUEUES, 10, 60.0):
            await advance_swap(claimed, deps or self.rig.deps)
        for lane in lanes:
            await lane.step()
        await self.rig.read()

    async def until(self, state: State, *lanes: Lane) -> None:
        for _ in range(60):
            if await self.state() == state.value:
                return
            await self.step(*lanes)
        raise AssertionError(f"still {await self.state()}")

    async def state(self) -> str:
        async with connection(self.rig.pool) as conn:
            found: str = await conn.fetchval("SELECT state FROM swaps WHERE hashlock = $1", self.swap.hashlock)
            return found

    async def lanes(self, *, mute: bool = False) -> list[Lane]:
        lanes = []
        for chain_id, spec in self.rig.deps.specs.items():
            signer = dev_signer(SIGNER_KEY, [chain_id])
            async with connection(self.rig.pool) as conn:
                await conn.execute("UPDATE leases SET expires_at = '-infinity' WHERE name LIKE 'lane:%'")
                lease = await acquire(conn, f"lane:{chain_id}:{signer.address}", "test", 600.0)
            assert lease is not None
            chain: Any = self.rig.deps.chains[chain_id]
            lanes.append(
                Lane(
                    spec=spec,
                    chain=Mute(chain) if mute else chain,
                    signer=signer,
                    policy=FeePolicy(max_fee_per_gas=Wei(10**12)),
                    pool=self.rig.pool,
                    sealer=self.rig.deps.sealer,
                    lease=lease,
                )
            )
        return lanes

    async def finds(self) -> list[str]:
        """Return every place that gives the secret away."""
        secret = self.secret.reveal()
        said = self.capsys.readouterr()
        self.logs.write(said.out + said.err)
        found = await columns_that_show(self.rig.pool, secret)
        places = {
            "backup": await dump_of(self.dsn),
            "server log": await server_log(self.rig.pool),
            "logs": self.logs.getvalue(),
            "answers": "\n".join(self.texts),
            "texts of values": "\n".join(f"{value!r} {value!s}" for value in self.seen),
        }
        return found + [place for place, text in places.items() if shows(text, secret)]


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that any library says, at debug; what we say goes to standard error."""
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    heard = io.StringIO()
    yield heard
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def listen(heard: io.StringIO, *, as_json: bool) -> None:
    configure_logs(level="debug", as_json=as_json)
    logging.root.addHandler(logging.StreamHandler(heard))
    logging.root.setLevel(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the tests' own client


@asynccontextmanager
async def clients(hunt: Hunt) -> AsyncIterator[Sequence[tuple[Litestar, httpx.AsyncClient]]]:
    """The public and the operator's interface over the real resolver."""
    deps, pool = hunt.rig.deps, hunt.rig.pool

    async def load_one(order_hash: OrderHash) -> Any:
        async with connection(pool) as conn:
            return await load_view(conn, order_hash)

    async def load_many(state: State | None, limit: int) -> Any:
        async with connection(pool) as conn:
            return await list_views(conn, state, limit)

    public = ApiDeps(
        accept_order=lambda signed: accept_order(signed, deps),
        take_secret=lambda order_hash, secret: take_secret(order_hash, secret, deps),
        load_view=load_one,
        list_views=load_many,
        open_feed=lambda after: open_feed(pool, deps.wake, deps.clock, after=after),
        check_components=lambda: check_components(pool, deps.specs.values(), deps.clock),
        specs=deps.specs,
        pairs=tuple(deps.pairs),
    )
    apps = [build_app(public), build_operator_app(TOKEN, build_queue_routes(pool, QUEUES, deps.wake))]
    async with AsyncExitStack() as stack:
        yield [(app, await stack.enter_async_context(client_of(app))) for app in apps]


def client_of(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://resolver")


async def hand_over(hunt: Hunt) -> None:
    """Badly in many ways, then well; every answer is kept."""
    secret = "0x" + hunt.secret.reveal().hex()
    path = f"/api/v1/orders/{hunt.swap.order_hash}/secret"
    bad: list[tuple[str, dict[str, Any]]] = [
        (path, {"json": {"secret": secret[:-2]}}),
        (path, {"json": {"secret": secret + "00"}}),
        (path, {"json": {"secret": secret[:-1] + "g"}}),
        (path, {"json": {"secret": [secret]}}),
        (path, {"json": {"secret": int(secret, 16)}}),
        (path, {"json": {secret: secret}}),
        (path, {"json": {"secret": secret, "more": secret}}),
        (path, {"json": secret}),
        (path, {"content": secret, "headers": {"content-type": "application/json"}}),
        (path, {"content": secret, "headers": {"content-type": secret}}),
        (path, {"json": {"secret": secret}, "headers": {"x-secret": secret}, "params": {"secret": secret}}),
        (f"/api/v1/orders/{hunt.swap.hashlock}/secret", {"json": {"secret": secret}}),
    ]
    async with clients(hunt) as ((_, client), _):
        for where, request in bad[:10] + bad[11:]:
            answer = await client.post(where, **request)
            assert answer.status_code >= 400, request
            hunt.texts.append(f"{answer.headers} {answer.text}")
        for where, request in (bad[10], bad[10]):
            answer = await client.post(where, **request)
            assert answer.status_code == 202, answer.text
            hunt.texts.append(f"{answer.headers} {answer.text}")


async def ask_everything(hunt: Hunt) -> None:
    """Every GET of both interfaces."""
    async with connection(hunt.rig.pool) as conn:
        dead = await conn.fetchval("SELECT max(id) FROM dead_messages")
    asked = 0
    async with clients(hunt) as both:
        for app, client in both:
            app.state.stopping = True  # the stream of events ends after what there is
            for route in app.routes:
                if "GET" not in getattr(route, "methods", ()) or "schema" in route.path or "events" in route.path:
                    continue
                path = re.sub(r"\{[^}]*:int\}", str(dead), route.path)
                path = re.sub(r"\{[^}]*\}", str(hunt.swap.order_hash), path)
                answer = await client.get(path, headers={"authorization": f"Bearer {TOKEN}", "last-event-id": "0"})
                assert answer.status_code in {200, 503}, (path, answer.text)
                hunt.texts.append(answer.text)
                asked += 1
    assert asked >= 8
    deps = hunt.rig.deps
    async with open_feed(hunt.rig.pool, deps.wake, deps.clock, after=0) as feed:
        events = await feed.read(0)
    assert {name_of(event) for event in events} == {"order.created", "order.updated", "secret.revealed"}
    hunt.texts.extend(encode_event(event).decode() for event in events)
    hunt.seen.extend(events)


async def fail(hunt: Hunt, deps: ResolverDeps) -> None:
    """Let the real worker try the swap with `deps` until the message is given up."""
    async with transaction(hunt.rig.pool) as conn:
        await conn.execute("DELETE FROM messages")
        await wake_swap(conn, hunt.swap.hashlock)
        await conn.execute("UPDATE messages SET max_attempts = 1")
        before = await conn.fetchval("SELECT count(*) FROM dead_messages")

    async def handle(claimed: Any) -> None:
        try:
            await advance_swap(claimed, deps)
        except BaseException as error:
            hunt.texts.append("".join(traceback.format_exception(error)) + repr(error))
            raise

    worker = asyncio.create_task(
        run_worker(hunt.rig.pool, QUEUES, handle, concurrency=1, wake=deps.wake, clock=deps.clock, rng=SystemRng())
    )
    async with asyncio.timeout(20):
        while True:
            async with connection(hunt.rig.pool) as conn:
                if await conn.fetchval("SELECT count(*) FROM dead_messages") > before:
                    break
            await asyncio.sleep(0.02)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def break_constraints(hunt: Hunt) -> None:
    """The server quotes the whole row in its refusal."""
    async with connection(hunt.rig.pool) as conn:
        for statement in ("UPDATE secrets SET received_at = NULL", "UPDATE intents SET wanted = NULL"):
            with pytest.raises(asyncpg.NotNullViolationError, match="null value") as caught:
                await conn.execute(statement)
            hunt.texts.append(f"{caught.value!r} {caught.value.as_dict()}")


async def look_at_values(hunt: Hunt, chain_id: ChainId) -> None:
    """Collect one of each value that carries the secret."""
    rig, signer = hunt.rig, dev_signer(SIGNER_KEY, [chain_id])
    async with connection(rig.pool) as conn:
        held = await load_open(conn, chain_id, signer.address, rig.deps.sealer)
        waiting = await load_waiting(conn, chain_id, 10, rig.deps.sealer)
        stored = await load_secret(conn, hunt.swap.hashlock, rig.deps.sealer)
    assert stored == hunt.secret
    [bearing] = [one for one in held if one.bears_secret]
    assert hunt.secret.reveal() in bearing.data
    assert hunt.secret.reveal() in bearing.attempts[-1].raw
    assert bearing.nonce is not None
    assert bearing.gas is not None
    unsigned = UnsignedTx(
        chain_id=chain_id,
        nonce=bearing.nonce,
        max_priority_fee_per_gas=Wei(1),
        max_fee_per_gas=Wei(2),
        gas=bearing.gas,
        to=bearing.target,
        value=Wei(0),
        data=bearing.data,
    )
    body = SecretBody(secret="0x" + hunt.secret.reveal().hex())
    gathered = await rig.gather(hunt.swap)
    hunt.seen.extend([stored, held, waiting, unsigned, await sign_tx(signer, unsigned), body, gathered, rig.deps])
    with pytest.raises(TypeError) as caught:
        pickle.dumps(stored)
    hunt.texts.append("".join(traceback.format_exception(caught.value)))


@pytest.fixture
async def hunt(rig: ResolverRig, postgres: str, logs: io.StringIO, capsys: pytest.CaptureFixture[str]) -> Hunt:
    secret, key = Secret(os.urandom(32)), os.urandom(32)
    rig = replace(rig, deps=replace(rig.deps, sealer=Sealer(key, SystemRng())))
    await rig.read()
    swap = await accept_order(await rig.sign(rig.terms(int.from_bytes(os.urandom(4)), secret=secret)), rig.deps)
    assert isinstance(swap, Accepted), swap
    async with connection(rig.pool) as conn:
        name = await conn.fetchval("SELECT current_database()")
    dsn = urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))
    return Hunt(rig=rig, swap=swap, secret=secret, key=key, dsn=dsn, logs=logs, capsys=capsys)


@pytest.mark.parametrize("as_json", [True, False])
async def test_a_secret_is_nowhere_in_clear_before_it_is_on_a_chain(hunt: Hunt, as_json: bool) -> None:
    listen(hunt.logs, as_json=as_json)
    rig, chain_id = hunt.rig, hunt.rig.dst_spec.id
    await hunt.until(State.AWAIT_SECRET, *await hunt.lanes())
    await hand_over(hunt)
    for chain in (rig.src, rig.dst):
        await chain.anvil.increase_time(Seconds(20))
    await rig.read()
    await fail(hunt, replace(rig.deps, sealer=Sealer(os.urandom(32), SystemRng())))
    await fail(hunt, replace(rig.deps, sealer=Sealer(hunt.key, BrokenRng())))
    assert "SECRETS_KEY_UNKNOWN" in hunt.texts[-2]
    assert "in seal\n" in hunt.texts[-1]
    assert "RuntimeError" in hunt.texts[-1]
    mute = await hunt.lanes(mute=True)
    for _ in range(4):
        await hunt.step(*mute)
    await look_at_values(hunt, chain_id)
    await break_constraints(hunt)
    await ask_everything(hunt)
    assert await hunt.finds() == []
    async with connection(rig.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM secrets") == 1
        assert await conn.fetchval("SELECT count(*) FROM intents WHERE bears_secret") >= 1
        assert await conn.fetchval("SELECT count(*) FROM dead_messages") == 2
    for word in ("message_failed", "lane_stumbled", "secret_taken", "tx_signed"):
        assert word in hunt.logs.getvalue()

    # The same hunt finds it as soon as it is public: the payout shows it.
    await hunt.until(State.SETTLED, *await hunt.lanes())
    public = ["atomic_swap.secret", "escrow_withdrawal.secret", "journal.secret"]
    assert await hunt.finds() == [*public, "backup"]


PLACES = {
    "evidence.body": "INSERT INTO evidence (hashlock, body) VALUES ($1, jsonb_build_object('x', encode($2, 'hex')))",
    "secrets.sealed": "INSERT INTO secrets (hashlock, sealed) VALUES ($1, 'x'::bytea || $2)",
    "swap_events.actor": """
        INSERT INTO swap_events (hashlock, version, before, after, reason, actor)
        SELECT $1, 2, 'ACCEPTED', 'ACCEPTED', 'x', encode('x'::bytea || $2, 'base64')
    """,
    "orders.extension": "UPDATE orders SET extension = $2 WHERE hashlock = $1",
}


@pytest.mark.parametrize("place", PLACES)
async def test_the_hunt_finds_what_is_planted_in_the_database(hunt: Hunt, place: str) -> None:
    async with connection(hunt.rig.pool) as conn:
        await conn.execute(PLACES[place], hunt.swap.hashlock, hunt.secret.reveal())
    assert await hunt.finds() == [place, "backup"]


async def test_the_hunt_finds_what_is_said(hunt: Hunt) -> None:
    assert await hunt.finds() == []
    listen(hunt.logs, as_json=False)
    secret = hunt.secret.reveal()
    structlog.get_logger().debug("said", calldata=b"1234" + secret + bytes(9))
    hunt.texts.append(json.dumps({"secret": list(secret)}))
    hunt.seen.append({"data": secret})
    assert await hunt.finds() == ["logs", "answers", "texts of values"]
