"""A world to swap in: two local chains with our contracts, a stocked Resolver, a funded maker, and a bmn.toml for it.

Everything belongs to the public dev keys; see the indexes below.
"""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bmn.bindings.resolver_calls import TokenLimit
from bmn.contracts.deploy import Plan, Rules, deploy_contracts, set_rules, transfer_token
from bmn.contracts.sending import OneByOne
from bmn.core.chain import Contracts
from bmn.core.units import NATIVE, ChainId, Seconds, TokenAmount, Wei
from bmn.devnet.anvil import Anvil, open_anvil
from bmn.evm.client import open_chain
from bmn.evm.devkeys import DEV_ADDRESSES, DEV_CHAIN_IDS, dev_signer
from bmn.seams import SystemClock, SystemSpawner

OWNER_KEY: Final = 0
"""Dev key that deploys, owns the Resolver, is its treasury and holds the rest of all tokens."""
MAKER_KEY: Final = 1
OPERATOR_KEYS: Final = (2, 3)

CHAIN_NAMES: Final = ("alpha", "beta", "gamma")
MIN_MARGIN: Final = Seconds(10)
"""Least margin that the Resolver accepts here; the policy's own (47 s with the margins below) is larger."""

_BMN: Final = 10**18
_STOCK: Final = TokenAmount(100_000 * _BMN)
_STOCK_NATIVE: Final = Wei(100 * 10**18)
_MAKER_FUNDS: Final = TokenAmount(1_000 * _BMN)
_LIMITS: Final = {
    NATIVE: TokenLimit(per_lock=TokenAmount(10 * 10**18), per_hour=TokenAmount(0)),
}
_TOKEN_LIMIT: Final = TokenLimit(per_lock=TokenAmount(10_000 * _BMN), per_hour=TokenAmount(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class DevChain:
    """One local chain of the world."""

    name: str
    """In bmn.toml."""
    anvil: Anvil
    """The node, for moving time and the like."""
    contracts: Contracts
    """Equal on all chains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devnet:
    """A running world."""

    home: Path
    """Its BMN_HOME."""
    config_path: Path
    """Its bmn.toml."""
    chains: tuple[DevChain, ...]
    """In the order of their ids."""
    api_url: str
    """Where the API will listen."""
    indexer_url: str
    """Where the indexer will listen."""


@asynccontextmanager
async def open_devnet(
    home: Path, *, block_time: int = 1, chain_ids: Sequence[ChainId] = DEV_CHAIN_IDS[:2]
) -> AsyncIterator[Devnet]:
    """Start the chains, deploy, stock and fund; write `home`/bmn.toml. The chains are gone afterwards, files stay.

    At most as many chains as there are `CHAIN_NAMES`, each paired with each other in both directions. `block_time` is
    in seconds; 0 mines a block per transaction only.

    Raises:
        ConfigError: ANVIL_MISSING, LOP_NOT_COMPILED.
        TransientError: ANVIL_FAILED.
    """
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(open_anvil(chain_id)) for chain_id in chain_ids]
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_furnish(name, anvil, block_time))
                for name, anvil in zip(CHAIN_NAMES[: len(nodes)], nodes, strict=True)
            ]
        chains = tuple(task.result() for task in tasks)
        port, indexer_port = _free_port(), _free_port()
        config_path = _write_files(home, _config_text(chains, block_time or 1, port, indexer_port))
        yield Devnet(
            home=home,
            config_path=config_path,
            chains=chains,
            api_url=f"http://127.0.0.1:{port}",
            indexer_url=f"http://127.0.0.1:{indexer_port}",
        )


async def _furnish(name: str, anvil: Anvil, block_time: int) -> DevChain:
    """Deploy and fund at a block per transaction, then let the blocks come by the clock."""
    clock = SystemClock()
    signer = dev_signer(OWNER_KEY, [anvil.chain_id], dev_chain_ids=[anvil.chain_id])
    owner, maker = DEV_ADDRESSES[OWNER_KEY], DEV_ADDRESSES[MAKER_KEY]
    async with (
        asyncio.TaskGroup() as group,
        open_chain(
            name=name,
            chain_id=anvil.chain_id,
            endpoints=[anvil.endpoint],
            quorum=1,
            clock=clock,
            spawner=SystemSpawner(group),
        ) as chain,
    ):
        sender = OneByOne(chain, signer, clock)
        contracts = await deploy_contracts(sender, Plan(owner=owner, treasury=owner, token_holder=owner))
        token = contracts.access_token
        rules = Rules(
            operators=tuple(DEV_ADDRESSES[index] for index in OPERATOR_KEYS),
            limits=_LIMITS | {token: _TOKEN_LIMIT},
            min_margin=MIN_MARGIN,
        )
        await set_rules(sender, contracts.resolver, rules)
        await transfer_token(sender, token, contracts.resolver, _STOCK)
        await transfer_token(sender, token, maker, _MAKER_FUNDS)
        await sender.send(contracts.resolver, value=_STOCK_NATIVE)
    if block_time:
        await anvil.set_automine(on=False)
        await anvil.set_interval(block_time)
    return DevChain(name=name, anvil=anvil, contracts=contracts)


def _free_port() -> int:
    """Return a port that nobody listens on now; somebody could take it before we do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_files(home: Path, config: str) -> Path:
    """Write bmn.toml and, if there is none, the key that seals secrets; return the path of the first."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = home / "secrets.key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32) + "\n")
    path = home / "bmn.toml"
    path.write_text(config)
    return path


def _config_text(chains: Sequence[DevChain], block_time: int, port: int, indexer_port: int) -> str:
    first = chains[0]
    parts = [_chain_text(chain, block_time) for chain in chains]
    tables: Mapping[str, str] = {chain.name: str(chain.contracts.access_token) for chain in chains}
    addresses = ", ".join(f'{name} = "{address}"' for name, address in tables.items())
    parts += [f'[[pairs]]\nsrc = "{a.name}"\ndst = "{b.name}"\n' for a in chains for b in chains if a is not b]
    parts += [
        f'[tokens.BMN]\ndecimals = 18\nmax_amount = "1000"\nusd = "1"\naddresses = {{ {addresses} }}\n',
        f'[resolver]\ndev_keys = {list(OPERATOR_KEYS)}\nsecrets_key_file = "secrets.key"\n',
        f'[maker]\nresolver_url = "http://127.0.0.1:{port}"\ndev_key = {MAKER_KEY}\n',
        f'[api]\nhost = "127.0.0.1"\nport = {port}\n',
        f'[indexer]\nhost = "127.0.0.1"\nport = {indexer_port}\n',
        "[limits]\nmax_safety_deposit = 10000000000000000\n",
        "[margins]\ndetect = 3\nrecovery = 5\nskew = 5\nmin_reveal = 10\nmax_lock = 86400\n",
    ]
    head = f"# Development chains {first.anvil.chain_id} and {chains[-1].anvil.chain_id}, with public keys.\n"
    return "\n".join([head, 'home = "."\n', *parts])


def _chain_text(chain: DevChain, block_time: int) -> str:
    contracts = chain.contracts
    return f"""[chains.{chain.name}]
id = {chain.anvil.chain_id}
rpc = [{{ name = "anvil", url = "{chain.anvil.url}", ws = "{chain.anvil.ws_url}" }}]
quorum = 1
depth = 2
block_time = {block_time}
inclusion = 10
outage = 5
start_block = 0
max_fee_per_gas = 100000000000

[chains.{chain.name}.contracts]
factory = "{contracts.factory}"
limit_order_protocol = "{contracts.limit_order_protocol}"
resolver = "{contracts.resolver}"
access_token = "{contracts.access_token}"
noop_token = "{contracts.noop_token}"
rescue_delay_src = {contracts.rescue_delay_src}
rescue_delay_dst = {contracts.rescue_delay_dst}
"""
