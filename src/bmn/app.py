"""Makes every object and joins them, top to bottom; holds no logic."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeAlias

from bmn.api.at_head import open_at_head
from bmn.api.components import check_components
from bmn.api.graphql.app import GraphqlDeps, build_graphql_app
from bmn.api.graphql.standing import Standings
from bmn.api.indexer_server import build_indexer_app
from bmn.api.job_routes import build_job_routes
from bmn.api.operator import build_operator_app
from bmn.api.ports import ApiDeps
from bmn.api.queue_routes import build_queue_routes
from bmn.api.server import build_app, run_api
from bmn.config.build import (
    build_endpoints,
    build_fee_policies,
    build_needs,
    build_pairs,
    build_purses,
    build_specs,
    plan_jobs,
    quorum_of,
)
from bmn.config.keys import load_operator_token, load_operators, operator_addresses
from bmn.config.secrets_keys import load_secrets_keys, secrets_key_source
from bmn.config.settings import ResolverSection, Settings
from bmn.contracts.self_check import check_contracts
from bmn.core.chain import ChainSpec
from bmn.core.errors import ConfigError
from bmn.core.swap import State
from bmn.core.units import ChainId, OrderHash
from bmn.evm.client import RpcChain, open_chain
from bmn.evm.types import Endpoint, EndpointRole
from bmn.evm.vitals import EndpointReport
from bmn.indexer import IndexerDeps, run_indexer
from bmn.jobs.deps import JobDeps
from bmn.jobs.service import run_jobs
from bmn.messages import QUEUES
from bmn.observe import api as observe_api
from bmn.pg.depth import run_depth
from bmn.pg.embedded import open_database
from bmn.pg.kv import open_kv
from bmn.pg.migrate import ENGINE, check_version, upgrade
from bmn.pg.pool import Pool, connection, open_pool
from bmn.pg.pooler import check_same_database
from bmn.pg.wake import Wake, run_wake
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.intake import accept_order
from bmn.resolver.secret_intake import take_secret
from bmn.resolver.service import run_resolver
from bmn.resolver.view import SwapView, list_views, load_view
from bmn.seams import SystemClock, SystemRng, SystemSpawner
from bmn.store import MIGRATIONS
from bmn.store.endpoint_reports import load_endpoint_reports, run_endpoint_reports
from bmn.store.feed import open_feed
from bmn.store.rotation import adopt_key, run_key_holder
from bmn.store.sealing import Sealer
from bmn.txmgr.bell import Bell
from bmn.txmgr.lanes import LaneDeps, run_lanes

LOCATIONS: Final = (ENGINE, MIGRATIONS)
"""Where the revisions of the database are."""
_CONNECTIONS: Final = 20
"""Of one process: ten swaps at once, three jobs, one for each of their claims, two for keys and values, the loops."""


_READERS: Final = 6
"""Connections for queries of what the chains said."""


class Role(StrEnum):
    """What a process does; any set of them, in any number of processes on one database."""

    INDEXER = "indexer"
    RESOLVER = "resolver"
    API = "api"
    CRON = "cron"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What most roles and commands stand on."""

    settings: Settings
    direct: str
    """Address of the database past any pooler."""
    pool: Pool
    specs: dict[ChainId, ChainSpec]
    chains: dict[ChainId, RpcChain]
    endpoints: dict[ChainId, tuple[Endpoint, ...]]


@asynccontextmanager
async def open_dsn(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """Yield two addresses of the database, started if it is our own: for statements, and past any pooler.

    Raises:
        ConfigError: it cannot be used, or the two are not the same database.
    """
    url, direct_url = settings.database_url, settings.database_direct_url
    async with open_database(settings.home.absolute(), None if url is None else url.get_secret_value()) as dsn:
        if direct_url is None:
            yield dsn, dsn
            return
        await check_same_database(dsn, direct_url.get_secret_value())
        yield dsn, direct_url.get_secret_value()


@asynccontextmanager
async def open_store(settings: Settings, *, migrate: bool = False) -> AsyncIterator[tuple[str, Pool]]:
    """Yield direct address and pool of a database of the right shape; with `migrate`, one of our own is brought there.

    Raises:
        ConfigError: DATABASE_OLDER, DATABASE_NEWER, or it cannot be used.
    """
    async with open_dsn(settings) as (dsn, direct):
        if migrate and settings.database_url is None:
            await upgrade(direct, LOCATIONS)
        else:
            await check_version(direct, LOCATIONS)
        async with open_pool(dsn, size=_CONNECTIONS) as pool:
            yield direct, pool


@asynccontextmanager
async def open_chains(settings: Settings) -> AsyncIterator[dict[ChainId, RpcChain]]:
    """Yield a client for each configured chain; nothing is asked yet.

    Raises:
        ConfigError: no chain, or a quorum that does not fit.
    """
    build_specs(settings)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        spawner = SystemSpawner(await stack.enter_async_context(asyncio.TaskGroup()))
        yield {
            ChainId(chain.id): await stack.enter_async_context(
                open_chain(
                    name=name,
                    chain_id=ChainId(chain.id),
                    endpoints=build_endpoints(name, chain),
                    quorum=quorum_of(chain),
                    clock=clock,
                    spawner=spawner,
                )
            )
            for name, chain in settings.chains.items()
        }


@asynccontextmanager
async def open_base(settings: Settings, *, migrate: bool = False) -> AsyncIterator[Base]:
    """Yield database and chains.

    Raises:
        ConfigError: as `open_store` and `open_chains`.
    """
    async with open_chains(settings) as chains, open_store(settings, migrate=migrate) as (direct, pool):
        yield Base(
            settings=settings,
            direct=direct,
            pool=pool,
            specs=build_specs(settings),
            chains=chains,
            endpoints={ChainId(chain.id): build_endpoints(name, chain) for name, chain in settings.chains.items()},
        )


def resolver_section(settings: Settings) -> ResolverSection:
    """Return `[resolver]`.

    Raises:
        ConfigError: CONFIG_INVALID, there is none.
    """
    if settings.resolver is None:
        raise ConfigError(
            "CONFIG_INVALID", "resolver: missing", hint="write a [resolver] block with signers and secrets_key_file"
        )
    return settings.resolver


def build_resolver_deps(base: Base, sealer: Sealer, wake: Wake) -> ResolverDeps:
    """Join what the resolver, the API's order intake and `bmn swap explain` need."""
    return ResolverDeps(
        pool=base.pool,
        chains=base.chains,
        specs=base.specs,
        pairs=build_pairs(base.settings),
        accepting=True,
        sealer=sealer,
        wake=wake,
        clock=SystemClock(),
        rng=SystemRng(),
    )


def open_sealer(settings: Settings) -> Sealer:
    """Return what seals secrets in the database. May take seconds where a command gives the key.

    Raises:
        ConfigError: there is no key where the settings say.
    """
    first, *others = load_secrets_keys(secrets_key_source(settings, resolver_section(settings)))
    return Sealer(first, SystemRng(), others=others)


async def check_chain(settings: Settings, chain: RpcChain, spec: ChainSpec) -> None:
    """Check the contracts of one chain, and that our signers may do what the roles need.

    Raises:
        ConfigError, ChainError: as `check_contracts`.
    """
    operators = () if settings.resolver is None else operator_addresses(settings.resolver)
    await check_contracts(chain, spec, build_needs(settings, spec.name, operators))


async def run_roles(settings: Settings, roles: Collection[Role]) -> None:
    """Run `roles` until cancelled.

    Raises:
        ConfigError: settings, database or contracts do not fit; nothing was started.
        ChainError: a chain did not answer the check at start.
    """
    async with open_base(settings, migrate=True) as base:
        for chain_id, spec in base.specs.items():
            await check_chain(settings, base.chains[chain_id], spec)
        works = await _join(base, frozenset(roles))
        async with asyncio.TaskGroup() as group:
            for name, work in works.items():
                group.create_task(work(), name=name)


Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


async def _join(base: Base, roles: Collection[Role]) -> dict[str, Work]:
    """Return what runs, by name."""
    clock, wake = SystemClock(), Wake()
    holder = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
    works: dict[str, Work] = {"wake": partial(run_wake, base.direct, wake, clock)}
    works["endpoints"] = partial(_report_endpoints, base, wake, holder)
    works["depth"] = partial(run_depth, base.pool, QUEUES, clock)
    if Role.INDEXER in roles:
        works["indexer"] = partial(run_indexer, _indexer_deps(base, wake, holder))
        works["readers"] = partial(_serve_readers, base)
    if Role.RESOLVER in roles or Role.API in roles:
        sealer = await asyncio.to_thread(open_sealer, base.settings)
        await adopt_key(base.pool, sealer, holder)
        works["keys"] = partial(run_key_holder, base.pool, sealer, holder, clock)
        deps = build_resolver_deps(base, sealer, wake)
        if Role.RESOLVER in roles:
            bell = Bell()
            works["bell"] = partial(_ring, wake, bell)
            works["lanes"] = partial(run_lanes, await _lane_deps(base, deps.sealer, bell, holder))
            works["resolver"] = partial(run_resolver, deps)
        if Role.API in roles:
            api = base.settings.api
            works["api"] = partial(run_api, build_app(_api_deps(base, deps)), api.host, api.port)
            token = load_operator_token(base.settings)
            if token is None:
                observe_api.operator_listener_off()
            else:
                routes = [*build_queue_routes(base.pool, QUEUES, wake), *build_job_routes(base.pool)]
                operator = build_operator_app(token, routes)
                works["operator"] = partial(run_api, operator, api.operator_host, api.operator_port)
    if Role.CRON in roles:
        works["cron"] = partial(_run_cron, base, wake, holder)
    return works


def _indexer_deps(base: Base, wake: Wake, holder: str) -> IndexerDeps:
    return IndexerDeps(
        pool=base.pool,
        chains=base.chains,
        specs=base.specs,
        sockets={
            chain_id: [each for each in endpoints if each.ws_url and EndpointRole.HEADS in each.roles]
            for chain_id, endpoints in base.endpoints.items()
        },
        wake=wake,
        clock=SystemClock(),
        holder=holder,
    )


async def _serve_readers(base: Base) -> None:
    """Answer who asks what the chains said, on connections of its own: readers do not hold up the indexer."""
    section, specs, clock = base.settings.indexer, tuple(base.specs.values()), SystemClock()
    at_head = await open_at_head(base.pool, specs, clock)
    async with open_pool(base.direct, size=_READERS) as pool:
        standings = Standings(pool, specs, clock)
        graphql = build_graphql_app(GraphqlDeps(pool=pool, standings=standings, clock=clock))
        app = build_indexer_app(graphql, standings, at_head.find_missing)
        await run_api(app, section.host, section.port, "indexer")


async def _lane_deps(base: Base, sealer: Sealer, bell: Bell, holder: str) -> LaneDeps:
    # Key files open slowly on purpose.
    signers = await asyncio.to_thread(load_operators, base.settings, resolver_section(base.settings))
    return LaneDeps(
        pool=base.pool,
        chains=base.chains,
        specs=base.specs,
        signers=dict.fromkeys(base.chains, signers),
        policies=build_fee_policies(base.settings),
        sealer=sealer,
        clock=SystemClock(),
        bell=bell,
        holder=holder,
    )


def _api_deps(base: Base, deps: ResolverDeps) -> ApiDeps:
    async def load_one(order_hash: OrderHash) -> SwapView | None:
        async with connection(base.pool) as conn:
            return await load_view(conn, order_hash)

    async def load_many(state: State | None, limit: int) -> Sequence[SwapView]:
        async with connection(base.pool) as conn:
            return await list_views(conn, state, limit)

    return ApiDeps(
        accept_order=lambda signed: accept_order(signed, deps),
        take_secret=lambda order_hash, secret: take_secret(order_hash, secret, deps),
        load_view=load_one,
        list_views=load_many,
        open_feed=lambda after: open_feed(base.pool, deps.wake, deps.clock, after=after),
        check_components=lambda: check_components(base.pool, base.specs.values(), deps.clock),
        specs=base.specs,
        pairs=tuple(deps.pairs),
    )


async def _run_cron(base: Base, wake: Wake, holder: str) -> None:
    settings, clock = base.settings, SystemClock()
    operators = () if settings.resolver is None else operator_addresses(settings.resolver)
    async with open_kv(base.pool, wake) as kv:
        deps = JobDeps(
            pool=base.pool,
            kv=kv,
            wake=wake,
            clock=clock,
            instance=holder,
            specs=base.specs,
            chains=base.chains,
            purses=build_purses(settings, operators),
            check_components=lambda: check_components(base.pool, base.specs.values(), clock),
        )
        await run_jobs(deps, plan_jobs(settings), SystemRng())


async def load_running_endpoints(settings: Settings) -> list[EndpointReport]:
    """Return what running processes know of their endpoints; nothing if our own database does not run.

    Raises:
        ConfigError: as `open_store`.
    """
    running = settings.home.absolute() / "postgres" / "data" / "postmaster.pid"
    if settings.database_url is None and not running.exists():
        return []
    async with open_store(settings) as (_, pool), open_kv(pool, Wake()) as kv:
        return await load_endpoint_reports(kv)


async def _report_endpoints(base: Base, wake: Wake, holder: str) -> None:
    def read() -> list[EndpointReport]:
        return [report for chain in base.chains.values() for report in chain.reports()]

    async with open_kv(base.pool, wake) as kv:
        await run_endpoint_reports(kv, holder, read, SystemClock())


async def _ring(wake: Wake, bell: Bell) -> None:
    """Wake the lanes with everybody else: an intent may have been recorded."""
    woken = wake.subscribe()
    while True:
        await woken.wait()
        woken.clear()
        bell.ring()
