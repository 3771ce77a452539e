"""Runs every lane of this process: one per chain and signer, each owned by one process at a time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bmn.core.chain import ChainSpec
from bmn.core.units import ChainId
from bmn.evm.client import ChainClient
from bmn.evm.signer import Signer
from bmn.pg.leases import Lease, run_leased
from bmn.pg.pool import Pool
from bmn.seams import Clock
from bmn.store.sealing import Sealer
from bmn.txmgr.bell import Bell
from bmn.txmgr.fees import FeePolicy
from bmn.txmgr.lane import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneDeps:
    """What the lanes of one process work with."""

    pool: Pool
    chains: Mapping[ChainId, ChainClient]
    specs: Mapping[ChainId, ChainSpec]
    signers: Mapping[ChainId, Sequence[Signer]]
    """The keys to sign with on each chain; one lane each."""
    policies: Mapping[ChainId, FeePolicy]
    sealer: Sealer
    clock: Clock
    bell: Bell
    """Rung by whoever records intents in this process."""
    holder: str
    """Name of this process, for leases."""
    lease_ttl: float = 6.0
    """Seconds after which another process may take over a lane."""


async def run_lanes(deps: LaneDeps) -> None:
    """Carry out intents until cancelled."""
    async with asyncio.TaskGroup() as group:
        for chain_id, signers in deps.signers.items():
            for signer in signers:
                group.create_task(_run_lane(deps, chain_id, signer), name=f"lane:{chain_id}:{signer.address}")


async def _run_lane(deps: LaneDeps, chain_id: ChainId, signer: Signer) -> None:
    async def work(lease: Lease) -> None:
        lane = Lane(
            spec=deps.specs[chain_id],
            chain=deps.chains[chain_id],
            signer=signer,
            policy=deps.policies[chain_id],
            pool=deps.pool,
            sealer=deps.sealer,
            lease=lease,
        )
        ear = deps.bell.listen()
        try:
            await lane.run(ear)
        finally:
            deps.bell.leave(ear)

    name = f"lane:{chain_id}:{signer.address}"
    await run_leased(deps.pool, name, deps.holder, ttl=deps.lease_ttl, clock=deps.clock, work=work)
