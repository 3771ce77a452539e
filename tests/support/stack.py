"""A world for whole stories: two local chains, a database, the services as their own process, a maker, a client."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
from tests.support.postgres import fresh_database, in_thread
from tests.support.swap_on_chain import chain_now, send

from bmn.app import LOCATIONS, build_resolver_deps, open_base, open_sealer
from bmn.app import Base as Services
from bmn.bindings import escrow_logs, resolver_calls, token_calls
from bmn.config.build import build_margins
from bmn.config.load import load_settings
from bmn.config.settings import Settings
from bmn.core.chain import ChainSpec
from bmn.core.errors import BmnError
from bmn.core.margins import Margins
from bmn.core.timelocks import Timelocks
from bmn.core.units import Address, Hashlock, Seconds, TokenAmount, UnixTime, Wei
from bmn.devnet.anvil import Anvil
from bmn.devnet.world import MAKER_KEY, OPERATOR_KEYS, DevChain, Devnet, open_devnet
from bmn.evm.devkeys import DEV_ADDRESSES, dev_signer
from bmn.evm.signer import LocalSigner
from bmn.evm.types import BlockTag
from bmn.maker.create import OrderTerms, create_order, default_timelocks
from bmn.maker.evidence import VerifyRules
from bmn.maker.reveal import HandedOver, reveal_to_resolver
from bmn.maker.send import SendDeps
from bmn.maker.vault import KEY_PURPOSE, MakerOrder, Vault
from bmn.maker.verify import VerifyDeps
from bmn.pg.migrate import upgrade
from bmn.pg.pool import connection
from bmn.pg.wake import Wake
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.view import Explanation, explain_swap
from bmn.sdk.answers import OrderStatus
from bmn.sdk.client import ResolverClient, ResolverUnreachable, open_resolver
from bmn.seams import SystemClock, SystemRng
from bmn.store.sealing import Sealer

T = TypeVar("T")

AMOUNT: Final = TokenAmount(10 * 10**18)
DEPOSIT: Final = Wei(2 * 10**13)
"""0.00002 of the native coin, on each side."""
MAKER: Final = DEV_ADDRESSES[MAKER_KEY]
STRANGER: Final = DEV_ADDRESSES[4]

ENDS: Final = frozenset({"SETTLED", "REFUNDED", "ORDER_GONE", "EXPIRED", "LOSS"})


async def until(condition: Callable[[], Awaitable[T | None]], what: str, *, seconds: float = 40) -> T:
    """Return the first answer of `condition` that is neither None nor False."""
    try:
        async with asyncio.timeout(seconds):
            while (found := await condition()) is None or found is False:
                await asyncio.sleep(0.05)  # between two looks
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one account has on one chain."""

    token: int
    native: int


class Service:
    """`bmn run` with all roles."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def stall(self) -> None:
        """Freeze it."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def stop(self) -> int:
        """Ask it to end; return its exit code."""
        if self.process.returncode is None:
            self.resume()
            self.process.terminate()
        async with asyncio.timeout(20):
            return await self.process.wait()

    async def kill(self) -> None:
        """End it whatever it does."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


@dataclass(slots=True, kw_only=True)
class Stack:
    """What a story needs."""

    net: Devnet
    settings: Settings
    services: Services
    """Chains and database, opened by the test itself."""
    client: ResolverClient
    vault: Vault
    signer: LocalSigner
    deps: ResolverDeps
    service: Service | None = None
    started: int = field(default=0)

    @property
    def src(self) -> DevChain:
        return self.net.chains[0]

    @property
    def dst(self) -> DevChain:
        return self.net.chains[1]

    def spec(self, chain: DevChain) -> ChainSpec:
        return self.services.specs[chain.anvil.chain_id]

    @property
    def margins(self) -> Margins:
        return build_margins(self.settings)[self.src.anvil.chain_id, self.dst.anvil.chain_id]

    @property
    def verify(self) -> VerifyDeps:
        rules = VerifyRules(src=self.spec(self.src), dst=self.spec(self.dst), margins=self.margins)
        chains = self.services.chains
        return VerifyDeps(
            src=chains[self.src.anvil.chain_id],
            dst=chains[self.dst.anvil.chain_id],
            rules=rules,
            clock=SystemClock(),
        )

    def sending(self, chain: DevChain) -> SendDeps:
        """How the maker sends on `chain`."""
        chain_id = chain.anvil.chain_id
        return SendDeps(
            chain=self.services.chains[chain_id],
            chain_id=chain_id,
            signer=self.signer,
            vault=self.vault,
            clock=SystemClock(),
        )

    # The service.

    async def start(
        self, *, crash: str | None = None, wait: bool = True, roles: Sequence[str] = (), **settings: str
    ) -> Service:
        """Start the services, to die at crash point `crash` if one is named; return once they answer or are dead.

        `roles`: only these of them. `settings`: environment variables on top, such as BMN_DATABASE_URL.
        """
        self.started += 1
        log = self.net.home / f"service-{self.started}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BMN_")}
        assert self.settings.database_url is not None
        environment["BMN_DATABASE_URL"] = self.settings.database_url.get_secret_value()
        if crash is not None:
            environment["BMN_CRASHPOINT"] = crash
        environment |= settings
        chosen = ("--roles", *roles) if roles else ()
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bmn", "run", "--config", str(self.net.config_path), *chosen),
                cwd=self.net.home,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.service = Service(process, log)
        if wait:
            await until(self._is_up, "the services answer")
            if crash is None:
                assert process.returncode is None, self.service.tail()
        return self.service

    async def died(self, *, seconds: float = 40) -> int:
        """Wait for the services to end by themselves; return the exit code."""
        assert self.service is not None
        process = self.service.process
        try:
            async with asyncio.timeout(seconds):
                return await process.wait()
        except TimeoutError:
            raise AssertionError(f"still alive:\n{self.service.tail()}") from None

    async def _is_up(self) -> bool:
        assert self.service is not None
        if self.service.process.returncode is not None:
            return True
        with suppress(aiohttp.ClientError, TimeoutError):
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(f"{self.net.api_url}/ready") as answer,
            ):
                return answer.status == 200
        return False

    # Orders.

    def timelocks(self) -> Timelocks:
        return default_timelocks(self.margins)

    async def make_order(self, *, timelocks: Timelocks | None = None, dst_token: Address | None = None) -> MakerOrder:
        """Sign an order of 10 BMN for 10 BMN."""
        chains = self.services.chains
        src_head = await chains[self.src.anvil.chain_id].block(BlockTag.HEAD)
        dst_head = await chains[self.dst.anvil.chain_id].block(BlockTag.HEAD)
        assert src_head is not None
        assert dst_head is not None
        terms = OrderTerms(
            src=self.spec(self.src),
            dst=self.spec(self.dst),
            src_token=self.src.contracts.access_token,
            dst_token=dst_token or self.dst.contracts.access_token,
            making_amount=AMOUNT,
            taking_amount=AMOUNT,
            timelocks=timelocks or self.timelocks(),
            src_deposit=DEPOSIT,
            dst_deposit=DEPOSIT,
            expires_at=UnixTime(0),
            resolving_start=src_head.timestamp,
            src_block=src_head.number,
            dst_block=dst_head.number,
        )
        return await create_order(terms, signer=self.signer, rng=SystemRng(), vault=self.vault)

    async def submit_order(self) -> MakerOrder:
        """Make an order and have it accepted."""
        order = await self.make_order()
        await self.client.submit_order(order.signed)
        return order

    async def status(self, order: MakerOrder) -> OrderStatus:
        return await self.client.order(order.order_hash)

    async def reach(self, order: MakerOrder, *states: str, seconds: float = 40) -> OrderStatus:
        """Return the status once the swap is in one of `states`."""
        last = "nothing"

        async def look() -> OrderStatus | None:
            nonlocal last
            status = await self.status(order)
            last = f"{status.state} {status.reason}"
            assert status.state in states or status.state not in ENDS, last
            return status if status.state in states else None

        try:
            return await until(look, f"{order.order_hash} is {states}", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; last: {last}\n{await self.story(order)}") from error

    async def story(self, order: MakerOrder) -> str:
        """Return what a person would look at first when a swap did not do what it should."""
        async with connection(self.services.pool) as conn:
            intents = await conn.fetch(
                "SELECT action, ordinal, state, failure, not_after FROM intents WHERE hashlock = $1", order.hashlock
            )
            heads = await conn.fetch("SELECT chain_id, number, time, seen_at FROM chain_heads")
        rows = [str(tuple(row.values())) for row in (*intents, *heads)]
        return "\n".join([*rows, self.service.tail() if self.service else ""])

    async def try_reveal(self, order: MakerOrder) -> bool:
        """Verify both escrows on chain and give the secret away if that is safe and wanted now; may be repeated."""
        try:
            verdict = await reveal_to_resolver(order, verify=self.verify, vault=self.vault, resolver=self.client)
        except ResolverUnreachable:
            return False
        except BmnError as error:
            if error.code not in {"NOT_READY", "SWAP_OVER"}:
                raise
            return False
        return isinstance(verdict, HandedOver)

    async def hand_over(self, order: MakerOrder, *, seconds: float = 40) -> None:
        """Give the secret away as soon as that is safe and wanted."""
        try:
            await until(lambda: self.try_reveal(order), "the secret is handed over", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await self.story(order)}") from error

    async def settle(self, order: MakerOrder, *, seconds: float = 40) -> OrderStatus:
        """Play the maker's part to the end."""
        await self.hand_over(order, seconds=seconds)
        return await self.reach(order, "SETTLED", seconds=seconds)

    async def explain(self, order: MakerOrder) -> Explanation:
        """Return what `bmn swap explain` rests on."""
        async with connection(self.services.pool) as conn:
            explanation = await explain_swap(conn, order.hashlock, self.deps)
        assert explanation is not None
        return explanation

    # The chains, asked directly.

    async def pass_time(self, seconds: int) -> None:
        """Move both chains forward by as much."""
        await asyncio.gather(*(chain.anvil.increase_time(Seconds(seconds)) for chain in self.net.chains))

    async def pass_until(self, chain: DevChain, at: UnixTime) -> None:
        """Move both chains until `chain` is past `at`."""
        now = await chain_now(chain.anvil)
        if now <= at:
            await self.pass_time(at - now + 1)

    async def locks(self, hashlock: Hashlock) -> int:
        """Return how many destination escrows with this hashlock our Resolver made, by its own events."""
        contracts = self.dst.contracts
        logs = await self.dst.anvil.rpc(
            "eth_getLogs",
            {
                "fromBlock": "0x0",
                "address": str(contracts.resolver),
                "topics": ["0x" + escrow_logs.DST_LOCKED.hex()],
            },
        )
        return sum(hashlock.hex() in "".join([*log["topics"], log["data"]]) for log in logs)

    async def created(self, hashlock: Hashlock) -> int:
        """Return how many destination escrows with this hashlock the factory made, for whomever."""
        logs = await self.dst.anvil.rpc(
            "eth_getLogs",
            {
                "fromBlock": "0x0",
                "address": str(self.dst.contracts.factory),
                "topics": ["0x" + escrow_logs.DST_ESCROW_CREATED.hex()],
            },
        )
        return sum(hashlock.hex() in "".join([*log["topics"], log["data"]]) for log in logs)

    async def lock_of(self, hashlock: Hashlock) -> resolver_calls.Lock | None:
        """Return what our Resolver on the destination remembers."""
        call = {"to": str(self.dst.contracts.resolver), "data": "0x" + resolver_calls.build_lock_of(hashlock).hex()}
        answer = await self.dst.anvil.rpc("eth_call", call, "latest")
        return resolver_calls.decode_lock(bytes.fromhex(answer[2:]))

    async def nonces(self, chain: DevChain, account: Address) -> tuple[int, int]:
        """Return the nonce in the newest block, and with everything that waits."""
        latest = await chain.anvil.rpc("eth_getTransactionCount", str(account), "latest")
        pending = await chain.anvil.rpc("eth_getTransactionCount", str(account), "pending")
        return int(latest, 16), int(pending, 16)

    async def highest_stored_nonce(self, chain: DevChain, account: Address) -> int:
        """Return the highest nonce we ever signed for, -1 for none."""
        async with connection(self.services.pool) as conn:
            found = await conn.fetchval(
                "SELECT coalesce(max(nonce), -1) FROM txs WHERE chain_id = $1 AND signer = $2",
                chain.anvil.chain_id,
                bytes(account),
            )
        return int(found)

    async def no_nonce_is_stuck(self) -> None:
        """Check every lane: all that was signed for is mined."""
        for chain in self.net.chains:
            for key in OPERATOR_KEYS:
                account = DEV_ADDRESSES[key]
                next_one = await self.highest_stored_nonce(chain, account) + 1
                assert await self.nonces(chain, account) == (next_one, next_one), (chain.name, account)


async def mined(anvil: Anvil, sender: Address, to: Address | None, data: bytes = b"", *, value: int = 0) -> str:
    """Have a dev account send what must take effect; return the address of what it made, or an empty text."""
    return await receipt_of(anvil, await send(anvil, sender, to, data, value=value))


async def receipt_of(anvil: Anvil, tx_hash: str) -> str:
    """Wait until it is mined, and it must have taken effect; return the address of what it made, or an empty text."""

    async def receipt() -> Mapping[str, str] | None:
        found: Mapping[str, str] | None = await anvil.rpc("eth_getTransactionReceipt", tx_hash)
        return found

    found = await until(receipt, "the transaction is mined", seconds=10)
    assert found["status"] == "0x1", found
    return found.get("contractAddress") or ""


async def read_holdings(chain: DevChain, accounts: Iterable[Address]) -> dict[Address, Holding]:
    """Ask the node for BMN and native balances."""
    holdings = {}
    for account in accounts:
        data = "0x" + token_calls.build_balance_of(account).hex()
        token = await chain.anvil.rpc("eth_call", {"to": str(chain.contracts.access_token), "data": data}, "latest")
        native = await chain.anvil.rpc("eth_getBalance", str(account), "latest")
        holdings[account] = Holding(token=int(token, 16), native=int(native, 16))
    return holdings


async def gas_paid(chain: DevChain, after: int) -> dict[Address, int]:
    """Return what each sender paid for gas in the blocks after `after`."""
    paid: dict[Address, int] = {}
    head = int(await chain.anvil.rpc("eth_blockNumber"), 16)
    for number in range(after + 1, head + 1):
        for receipt in await chain.anvil.rpc("eth_getBlockReceipts", hex(number)):
            sender = Address.from_hex(receipt["from"].lower())
            cost = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
            paid[sender] = paid.get(sender, 0) + cost
    return paid


@contextmanager
def store_database(server: str) -> Iterator[str]:
    """Make a database with all our tables."""
    with fresh_database(server) as dsn:
        in_thread(upgrade(dsn, LOCATIONS))
        yield dsn


@asynccontextmanager
async def open_stack(home: Path, server: str, *, inclusion: int = 3) -> AsyncIterator[Stack]:
    """Start chains, database and maker; the services are started by the story. `server` is a PostgreSQL.

    `inclusion` is the setting of both chains, in seconds: how long a decision to send stays good.
    """
    async with AsyncExitStack() as stack:
        dsn = stack.enter_context(store_database(server))
        net = await stack.enter_async_context(open_devnet(home))
        config = net.config_path.read_text().replace("inclusion = 10", f"inclusion = {inclusion}")
        net.config_path.write_text(f'database_url = "{dsn}"\n{config}')
        settings = load_settings(net.config_path)
        services = await stack.enter_async_context(open_base(settings))
        signer = dev_signer(MAKER_KEY, list(services.specs))
        vault = Vault(home, Sealer(signer.derive_key(KEY_PURPOSE), SystemRng()))
        client = await stack.enter_async_context(open_resolver(net.api_url))
        world = Stack(
            net=net,
            settings=settings,
            services=services,
            client=client,
            vault=vault,
            signer=signer,
            deps=build_resolver_deps(services, open_sealer(settings), Wake()),
        )
        await allow(world.src, TokenAmount(2**255))
        try:
            yield world
        finally:
            if world.service is not None:
                await world.service.kill()


async def allow(chain: DevChain, amount: TokenAmount) -> None:
    """Have the maker let the order protocol take `amount`."""
    approval = token_calls.build_approve(chain.contracts.limit_order_protocol, amount)
    await mined(chain.anvil, MAKER, chain.contracts.access_token, approval)
