"""Sets the stage, plays the stories side by side, and checks the outcome on both chains."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from bmn.app import open_chains
from bmn.config.build import build_margins, build_specs
from bmn.config.load import load_settings
from bmn.core.units import Address, TokenAmount
from bmn.demo.audit import (
    Balances,
    Findings,
    Transaction,
    check_chain,
    head_number,
    read_balances,
    read_transactions,
)
from bmn.demo.board import Board
from bmn.demo.report import DemoReport, Step, SwapReport
from bmn.demo.service import open_service
from bmn.demo.stories import AMOUNT, Cast, draw_order, self_reveal, shared_reveal, walk_away
from bmn.devnet.world import MAKER_KEY, OPERATOR_KEYS, OWNER_KEY, Devnet, open_devnet
from bmn.evm.devkeys import DEV_ADDRESSES, dev_signer
from bmn.maker.approve import approve_order
from bmn.maker.vault import KEY_PURPOSE, MakerOrder, Vault
from bmn.sdk.answers import OrderStatus
from bmn.sdk.client import open_resolver
from bmn.seams import SystemRng
from bmn.store.sealing import Sealer

TITLES = ["shared reveal", "self reveal", "maker walks away"]
_EXPECTED = ["SETTLED", "SETTLED", "REFUNDED"]
_IMPATIENT_SECONDS = 2.0


async def run_demo(*, keep: bool, show: Callable[[DemoReport], None]) -> DemoReport:
    """Play all stories and `show` the outcome; with `keep`, leave everything running until interrupted.

    Raises:
        ConfigError, TransientError: a part could not be started, or a story got stuck.
    """
    board = Board(TITLES)
    async with AsyncExitStack() as stack:
        home = stack.enter_context(_temporary_home())
        board.say("starting two chains and deploying the contracts")
        devnet = await stack.enter_async_context(open_devnet(home))
        board.say("starting the resolver: database, indexer, lanes, API")
        cast = await stack.enter_async_context(_open_cast(devnet))
        report = await _play(cast, board)
        show(report)
        if keep:
            _tell_where(board, devnet)
            await asyncio.Event().wait()
    return report


async def _play(cast: Cast, board: Board) -> DemoReport:
    accounts = [
        *(DEV_ADDRESSES[index] for index in (OWNER_KEY, MAKER_KEY, *OPERATOR_KEYS)),
        cast.src.contracts.resolver,
    ]
    starts = {chain.name: await head_number(chain.anvil) for chain in cast.devnet.chains}
    before = {chain.name: await read_balances(chain, accounts) for chain in cast.devnet.chains}
    began_at = int(time.time())
    orders = [await draw_order(cast) for _ in TITLES]
    src_sender = cast.sender(cast.src, cast.src_chain)
    also = TokenAmount(AMOUNT * (len(orders) - 1))
    await approve_order(orders[0], cast.src, src_sender, also=also)
    board.say("the maker has signed three orders and allowed the order protocol to take exactly 30 BMN")
    with board.shown():
        statuses = await _play_stories(cast, orders, board)
    board.say("reading balances from both chains")
    return await _audit(cast, orders, statuses, starts, before, began_at, board.seconds)


async def _play_stories(cast: Cast, orders: list[MakerOrder], board: Board) -> list[OrderStatus]:
    first_settled, others_done = asyncio.Event(), asyncio.Event()

    async def first() -> OrderStatus:
        status = await shared_reveal(cast, orders[0], lambda state, text: board.note(0, state, text))
        first_settled.set()
        return status

    async def second() -> OrderStatus:
        status = await self_reveal(cast, orders[1], lambda state, text: board.note(1, state, text), first_settled)
        others_done.set()
        return status

    async def third() -> OrderStatus:
        return await walk_away(cast, orders[2], lambda state, text: board.note(2, state, text), others_done)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(story()) for story in (first, second, third)]
    return [task.result() for task in tasks]


async def _audit(
    cast: Cast,
    orders: list[MakerOrder],
    statuses: list[OrderStatus],
    starts: dict[str, int],
    before: dict[str, Balances],
    began_at: int,
    seconds: float,
) -> DemoReport:
    findings = Findings()
    mined: dict[str, Transaction] = {}
    maker, resolver = DEV_ADDRESSES[MAKER_KEY], cast.src.contracts.resolver
    settled = sum(status.state == "SETTLED" for status in statuses)
    for chain in cast.devnet.chains:
        transactions = await read_transactions(chain, starts[chain.name])
        mined |= {str(transaction.hash): transaction for transaction in transactions}
        gain = -settled * AMOUNT if chain.name == cast.src.name else settled * AMOUNT
        escrows = _escrows(statuses, src=chain.name == cast.src.name)
        check_chain(
            chain,
            before=before[chain.name],
            after=await read_balances(chain, [*before[chain.name].token, *escrows]),
            moved={maker: gain, resolver: -gain},
            transactions=transactions,
            escrows=escrows,
            findings=findings,
        )
    for title, status, expected in zip(TITLES, statuses, _EXPECTED, strict=True):
        findings.compared += 1
        if status.state != expected:
            findings.wrong.append(f"{title}: ended {status.state}, expected {expected}")
    swaps = tuple(
        _report(cast, title, order, status, mined, began_at, findings)
        for title, order, status in zip(TITLES, orders, statuses, strict=True)
    )
    return DemoReport(swaps=swaps, findings=findings, seconds=seconds)


def _report(
    cast: Cast,
    title: str,
    order: MakerOrder,
    status: OrderStatus,
    mined: dict[str, Transaction],
    began_at: int,
    findings: Findings,
) -> SwapReport:
    """Join what the services say they sent with what the chains say was mined."""
    named = [(step.step, "resolver", step.hash) for step in status.transactions if step.state == "done"]
    named += [(sent.purpose, "maker", str(sent.hash)) for sent in cast.vault.load(order.order_hash).transactions]
    steps = []
    for name, by, tx_hash in named:
        findings.compared += 1
        transaction = mined.get(tx_hash)
        if transaction is None or not transaction.succeeded:
            findings.wrong.append(f"{title}: {name} {tx_hash} is not on a chain, or failed")
            continue
        steps.append(Step(name=name, by=by, transaction=transaction, seconds=transaction.at - began_at))
    return SwapReport(
        story=title,
        state=status.state,
        reason=status.reason,
        order_hash=order.order_hash,
        hashlock=order.hashlock,
        gives=AMOUNT,
        gets=AMOUNT,
        steps=tuple(sorted(steps, key=lambda step: step.transaction.at)),
        token_profit=0,
    )


def _escrows(statuses: list[OrderStatus], *, src: bool) -> list[Address]:
    found = [status.src_escrow if src else status.dst_escrow for status in statuses]
    return [Address.from_hex(escrow.address) for escrow in found if escrow is not None]


@contextmanager
def _temporary_home() -> Iterator[Path]:
    """A folder that ends with us; open to look at, since the database may run as another user below it."""
    home = Path(tempfile.mkdtemp(prefix="bmn-demo-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def _open_cast(devnet: Devnet) -> AsyncIterator[Cast]:
    settings = load_settings(devnet.config_path)
    specs = build_specs(settings)
    src, dst = specs.values()
    signer = dev_signer(MAKER_KEY, list(specs))
    async with (
        open_service(devnet) as service,
        open_chains(settings) as chains,
        open_resolver(devnet.api_url) as resolver,
        open_resolver(devnet.api_url, answer_within=_IMPATIENT_SECONDS) as impatient,
    ):
        yield Cast(
            devnet=devnet,
            service=service,
            src=src,
            dst=dst,
            src_chain=chains[src.id],
            dst_chain=chains[dst.id],
            margins=build_margins(settings)[src.id, dst.id],
            signer=signer,
            vault=Vault(devnet.home, Sealer(signer.derive_key(KEY_PURPOSE), SystemRng())),
            resolver=resolver,
            impatient=impatient,
        )


def _tell_where(board: Board, devnet: Devnet) -> None:
    for chain in devnet.chains:
        board.say(f"chain {chain.name}: {chain.anvil.url}")
    board.say(f"API: {devnet.api_url}   settings: {devnet.config_path}")
    board.say(f"what the chains said, to query: {devnet.indexer_url}/")
    board.say("everything keeps running; Ctrl-C stops it and removes its files")
