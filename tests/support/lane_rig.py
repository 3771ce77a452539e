"""One signer lane on a real chain and a real database, driven pass by pass."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bmn.core.chain import ChainSpec, Contracts
from bmn.core.facts import IntentState
from bmn.core.hashing import keccak
from bmn.core.swap import Action
from bmn.core.units import (
    ZERO_ADDRESS,
    Address,
    BlockNumber,
    ChainId,
    Gas,
    Hashlock,
    Seconds,
    UnixTime,
    Wei,
)
from bmn.devnet.anvil import Anvil
from bmn.evm.client import RpcChain, open_chain
from bmn.evm.devkeys import dev_signer
from bmn.evm.types import Endpoint
from bmn.pg.leases import acquire
from bmn.pg.migrate import ENGINE
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.seams import SystemClock, SystemRng, SystemSpawner
from bmn.store import MIGRATIONS
from bmn.store.intents import NewIntent, StoredIntent, load_intents, record_intent, urgency_of, want_intents
from bmn.store.sealing import Sealer
from bmn.txmgr.bell import Bell
from bmn.txmgr.fees import FeePolicy
from bmn.txmgr.lane import Lane
from bmn.txmgr.lanes import LaneDeps

CHAIN = ChainId(31337)
LOCATIONS = [ENGINE, MIGRATIONS]
SEALING_KEY = bytes(range(32))
DEPTH = 2

COUNTER = Address(bytes.fromhex("c0" * 20))
"""Adds one to its slot 0 on each call."""
COUNTER_CODE = "0x60005460010160005500"
REFUSER = Address(bytes.fromhex("fe" * 20))
"""Reverts every call without a reason."""
REFUSER_CODE = "0x60006000fd"

SPEC = ChainSpec(
    name="local",
    id=CHAIN,
    block_time=0.2,
    depth=DEPTH,
    start_block=BlockNumber(0),
    contracts=Contracts(
        factory=ZERO_ADDRESS,
        src_implementation=ZERO_ADDRESS,
        dst_implementation=ZERO_ADDRESS,
        limit_order_protocol=ZERO_ADDRESS,
        resolver=ZERO_ADDRESS,
        access_token=ZERO_ADDRESS,
        noop_token=ZERO_ADDRESS,
        rescue_delay_src=Seconds(1),
        rescue_delay_dst=Seconds(1),
    ),
    domain_name="",
    domain_version="",
)
POLICY = FeePolicy(max_fee_per_gas=Wei(10**12))


def swap_named(name: str) -> Hashlock:
    return Hashlock(keccak(name.encode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRig:
    """What a test of a lane needs."""

    anvil: Anvil
    chain: RpcChain
    pool: Pool
    sealer: Sealer

    @property
    def signer(self) -> Address:
        return dev_signer(0, [CHAIN]).address

    async def lane(self, *, policy: FeePolicy = POLICY, holder: str = "test", key: int = 0) -> Lane:
        """A lane with a lease of its own, as after a start; an older one of the same key loses its lease."""
        signer = dev_signer(key, [CHAIN])
        name = f"lane:{CHAIN}:{signer.address}"
        await self.end_leases()
        async with connection(self.pool) as conn:
            lease = await acquire(conn, name, holder, 60.0)
        assert lease is not None
        return Lane(
            spec=SPEC, chain=self.chain, signer=signer, policy=policy, pool=self.pool, sealer=self.sealer, lease=lease
        )

    async def end_leases(self) -> None:
        """As if their time had passed."""
        async with connection(self.pool) as conn:
            await conn.execute("UPDATE leases SET expires_at = '-infinity'")

    def deps(self, holder: str, *, bell: Bell | None = None, keys: tuple[int, ...] = (0,)) -> LaneDeps:
        return LaneDeps(
            pool=self.pool,
            chains={CHAIN: self.chain},
            specs={CHAIN: SPEC},
            signers={CHAIN: [dev_signer(key, [CHAIN]) for key in keys]},
            policies={CHAIN: POLICY},
            sealer=self.sealer,
            clock=SystemClock(),
            bell=bell or Bell(),
            holder=holder,
            lease_ttl=1.5,
        )

    async def want(
        self,
        swap: Hashlock,
        action: Action = Action.LOCK,
        *,
        target: Address = COUNTER,
        data: bytes = b"",
        gas: Gas | None = None,
        ordinal: int = 0,
        not_after: UnixTime | None = None,
    ) -> None:
        """Record one intent."""
        if gas is None and action.bears_secret:
            gas = Gas(100_000)
        new = NewIntent(
            hashlock=swap,
            action=action,
            ordinal=ordinal,
            chain_id=CHAIN,
            target=target,
            data=data,
            value=Wei(0),
            gas=gas,
            not_after=not_after,
            deadline=None,
            urgency=urgency_of(action),
            bears_secret=action.bears_secret,
        )
        async with transaction(self.pool) as conn:
            await record_intent(conn, new, self.sealer)

    async def retire(self, swap: Hashlock) -> None:
        async with transaction(self.pool) as conn:
            await want_intents(conn, swap, set())

    async def intent(self, swap: Hashlock) -> StoredIntent:
        """The newest intent of a swap."""
        async with connection(self.pool) as conn:
            return (await load_intents(conn, swap))[-1]

    async def state(self, swap: Hashlock) -> IntentState:
        return (await self.intent(swap)).state

    async def use_nonce_elsewhere(self) -> None:
        """Mine a transaction of our key that our database does not know, in place of all that wait."""
        await self.anvil.rpc("anvil_dropAllTransactions")
        await self.anvil.impersonate(self.signer)
        await self.anvil.rpc("eth_sendTransaction", {"from": str(self.signer), "to": str(self.signer)})
        await self.anvil.mine()

    async def count(self) -> int:
        """How often the counter was called."""
        word = await self.anvil.rpc("eth_getStorageAt", str(COUNTER), "0x0", "latest")
        return int(word, 16)

    async def nonce(self) -> int:
        """Transactions of the signer that are mined."""
        return int(await self.anvil.rpc("eth_getTransactionCount", str(self.signer), "latest"), 16)

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        async with connection(self.pool) as conn:
            return [tuple(row.values()) for row in await conn.fetch(query, *values)]

    async def step_until(self, lane: Lane, swap: Hashlock, state: IntentState, *, mine: bool = True) -> None:
        """Pass and mine by turns until the intent stands there."""
        for _ in range(30):
            await lane.step()
            if await self.state(swap) is state:
                return
            if mine:
                await self.anvil.mine()
        found = await self.intent(swap)
        raise AssertionError(f"{found.action} is {found.state}, not {state}: {found.failure}")


@asynccontextmanager
async def open_rig(anvil: Anvil, dsn: str, *, endpoints: list[Endpoint] | None = None) -> AsyncIterator[LaneRig]:
    """A rig on `anvil`, with the two test contracts in place; all of `endpoints` must agree on what is final."""
    await anvil.rpc("anvil_setCode", str(COUNTER), COUNTER_CODE)
    await anvil.rpc("anvil_setCode", str(REFUSER), REFUSER_CODE)
    nodes = endpoints or [anvil.endpoint]
    async with (
        asyncio.TaskGroup() as group,
        open_chain(
            name=SPEC.name,
            chain_id=CHAIN,
            endpoints=nodes,
            quorum=len(nodes),
            clock=SystemClock(),
            spawner=SystemSpawner(group),
        ) as chain,
        open_pool(dsn, size=8) as pool,
    ):
        yield LaneRig(anvil=anvil, chain=chain, pool=pool, sealer=Sealer(SEALING_KEY, SystemRng()))
