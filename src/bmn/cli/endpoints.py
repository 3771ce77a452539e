"""Endpoints for a person: asked now, and what the running processes know of them. Names, never URLs."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bmn.cli.running import remark

if TYPE_CHECKING:
    from bmn.config.settings import Settings
    from bmn.core.errors import ChainError
    from bmn.evm.client import Node, RpcChain


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """One endpoint, as it answered now."""

    chain: str
    endpoint: str
    id: int | None = None
    """Chain id it serves."""
    block: int | None = None
    """Its head."""
    time: int | None = None
    """Chain time of it."""
    lag: int | None = None
    """Blocks behind the highest head of the chain's endpoints."""
    ms: float | None = None
    """Time of the answer."""
    state: str | None = None
    """closed, open or half-open in the running processes; None if none runs."""
    resting: str | None = None
    """Why, and for how long yet."""
    calls_hour: int | None = None
    """Calls of the running processes in the last 60 minutes."""
    error: "ChainError | None" = None
    """Why it did not answer now."""


async def examine_endpoints(settings: "Settings") -> list[EndpointStatus]:
    """Ask every endpoint of every chain for its head, and the running processes for the rest."""
    import asyncio

    from bmn.app import load_running_endpoints, open_chains
    from bmn.core.errors import ConfigError, TransientError

    async with open_chains(settings) as chains:
        found = [
            status
            for chain in chains.values()
            for status in _behind(await asyncio.gather(*[_ask(chain, node) for node in chain.nodes]))
        ]
    try:
        reports = await load_running_endpoints(settings)
    except (ConfigError, TransientError) as error:
        remark(f"what running processes know is not shown: {error}")
        reports = []
    known = {(report.chain, report.endpoint): report for report in reports}
    statuses = []
    for status in found:
        report = known.get((status.chain, status.endpoint))
        if report is None:
            statuses.append(status)
            continue
        why = f"{report.reason}, {report.rests_for:.0f} s" if report.rests_for else report.reason
        statuses.append(replace(status, state=report.state, resting=why or None, calls_hour=report.calls_hour))
    return statuses


async def _ask(chain: "RpcChain", node: "Node") -> EndpointStatus:
    import time

    from bmn.core.errors import ChainError
    from bmn.evm.types import BlockTag

    try:
        served = await node.chain_id()
        started = time.monotonic()
        head = await node.block(BlockTag.HEAD)
    except ChainError as error:
        return EndpointStatus(chain=chain.name, endpoint=node.name, error=error)
    return EndpointStatus(
        chain=chain.name,
        endpoint=node.name,
        id=served,
        block=None if head is None else head.number,
        time=None if head is None else head.timestamp,
        ms=round((time.monotonic() - started) * 1000, 1),
    )


def _behind(statuses: list[EndpointStatus]) -> list[EndpointStatus]:
    highest = max((status.block for status in statuses if status.block is not None), default=0)
    return [status if status.block is None else replace(status, lag=highest - status.block) for status in statuses]
