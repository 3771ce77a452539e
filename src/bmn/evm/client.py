"""A chain as one thing over several endpoints: failover for liveness, quorum for safety, broadcast to all.

`ChainClient` is a seam: a simulation has its own side of it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol, TypeVar

import aiohttp

from bmn.core.errors import ChainError, ConfigError
from bmn.core.units import Address, BlockHash, BlockNumber, ChainId, Gas, Nonce, TxHash, Wei
from bmn.evm.breaker import Phase
from bmn.evm.failures import RANGE_TOO_WIDE, UNREACHABLE, CallReverted
from bmn.evm.node import RpcNode
from bmn.evm.preference import stands_back
from bmn.evm.quorum import Vote, count_votes
from bmn.evm.rpc import RpcEndpoint
from bmn.evm.sending import best_outcome
from bmn.evm.types import (
    BlockRef,
    BlockTag,
    ClockBounds,
    Endpoint,
    EndpointRole,
    Fees,
    Head,
    Log,
    Receipt,
    SendOutcome,
    TopicFilter,
    TransactionView,
)
from bmn.evm.vitals import EndpointReport, Vitals
from bmn.observe import chain as observe
from bmn.seams import Clock, Spawner

T = TypeVar("T")


class ChainReader(Protocol):
    """Questions about a chain. Every state read says as of which block.

    All raise ChainError when no usable answer came, and CallReverted where a contract is asked and refuses.
    """

    async def chain_id(self) -> ChainId:
        """Return the chain id served."""
        ...

    async def block(self, ref: BlockRef) -> Head | None:
        """Return the header of `ref`, None if there is no such block."""
        ...

    async def blocks(self, numbers: Sequence[BlockNumber]) -> tuple[Head | None, ...]:
        """Return the headers at `numbers`, in their order."""
        ...

    async def logs(
        self, *, block_hash: BlockHash, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of one block, in order; no addresses means any."""
        ...

    async def logs_range(
        self, first: BlockNumber, last: BlockNumber, *, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of the canonical blocks `first` to `last`, both included, in order."""
        ...

    async def code(self, address: Address, at: BlockRef) -> bytes:
        """Return the runtime code; empty for an account without."""
        ...

    async def balance(self, address: Address, at: BlockRef) -> Wei:
        """Return the native balance."""
        ...

    async def nonce(self, address: Address, at: BlockRef) -> Nonce:
        """Return the next unused nonce as of `at`; waiting transactions do not count."""
        ...

    async def call(
        self,
        to: Address,
        data: bytes,
        at: BlockRef,
        *,
        sender: Address | None = None,
        value: Wei = Wei(0),  # noqa: B008 - a NewType of a constant
    ) -> bytes:
        """Return what the contract answers."""
        ...

    async def call_many(self, calls: Sequence[tuple[Address, bytes]], at: BlockRef) -> tuple[bytes | CallReverted, ...]:
        """Return each contract's answer or refusal, in order."""
        ...

    async def receipt(self, tx_hash: TxHash) -> Receipt | None:
        """Return the outcome, None while the transaction is not mined."""
        ...

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> tuple[Receipt | None, ...]:
        """Return each outcome, in order; None for what is not mined."""
        ...

    async def transaction(self, tx_hash: TxHash) -> TransactionView | None:
        """Return the transaction, mined or waiting; None if unknown."""
        ...

    async def estimate_gas(self, *, sender: Address, to: Address | None, data: bytes, value: Wei = Wei(0)) -> Gas:  # noqa: B008 - a NewType of a constant
        """Return the gas a node thinks the transaction needs at its head."""
        ...

    async def fee_suggestion(self) -> Fees:
        """Return prices for inclusion in the next blocks."""
        ...


class Node(ChainReader, Protocol):
    """One endpoint of a chain."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        ...

    @property
    def roles(self) -> frozenset[EndpointRole]:
        """What it is for."""
        ...

    @property
    def vitals(self) -> Vitals:
        """What is known of it."""
        ...

    async def send_raw(self, raw: bytes) -> SendOutcome:
        """Offer signed bytes to this endpoint."""
        ...


class ChainClient(ChainReader, Protocol):
    """A chain: liveness reads take the first usable answer; `agree` is for reads that money depends on."""

    async def agree(self, ask: Callable[[ChainReader], Awaitable[T]]) -> T:
        """Ask every endpoint the same and return what a quorum of them answers, alike.

        Name a block hash or number in `ask`: endpoints have different heads. Answers are compared with `==`.

        Raises:
            ChainError: QUORUM_MISSING, naming who differed or failed.
            CallReverted: a quorum says the contract refuses.
        """
        ...

    async def clock_bounds(self) -> ClockBounds:
        """Return the earliest and the latest head time that any endpoint reports."""
        ...

    async def highest_head(self) -> Head:
        """Ask every endpoint and return the highest head; who is behind is asked later from now on.

        Raises:
            ChainError: RPC_UNREACHABLE, no endpoint reports a head.
        """
        ...

    async def send_raw(self, raw: bytes) -> SendOutcome:
        """Broadcast signed bytes to all endpoints; return at the first acceptance, else the answer that says most.

        Raises:
            ChainError: RPC_UNREACHABLE; no endpoint answered, and any may hold the transaction all the same.
        """
        ...


class RpcChain:
    """The production side of `ChainClient`; `nodes` are its endpoints one by one, for whoever reports on them."""

    def __init__(self, name: str, nodes: Sequence[Node], *, quorum: int, clock: Clock, spawner: Spawner) -> None:
        """Serve chain `name` by `nodes`, in order of preference. Sends outlive the call that started them in `spawner`.

        Raises:
            ConfigError: fewer nodes that answer questions than the quorum, a quorum below one, none that sends, or two
                nodes of one name.
        """
        readers = tuple(node for node in nodes if node.roles != {EndpointRole.SEND})
        senders = tuple(node for node in nodes if EndpointRole.SEND in node.roles)
        if not 1 <= quorum <= len(readers):
            raise ConfigError(
                "BAD_QUORUM", f"{name}: quorum {quorum} of {len(readers)} endpoints that answer questions"
            )
        if not senders:
            raise ConfigError("BAD_ENDPOINTS", f"{name}: no endpoint has the role send")
        if len({node.name for node in nodes}) != len(nodes):
            raise ConfigError("BAD_ENDPOINTS", f"{name}: two endpoints have one name")
        self.name = name
        self.nodes = tuple(nodes)
        self._quorum = quorum
        self._clock = clock
        self._spawner = spawner
        self._sends: set[asyncio.Task[None]] = set()
        self._readers = readers
        self._senders = senders
        self._newest = -1
        self._leading = readers[0].name

    def reports(self) -> tuple[EndpointReport, ...]:
        """Return what is known of each endpoint, in order of preference."""
        return tuple(node.vitals.report(self.name, node.name) for node in self.nodes)

    @property
    def leading(self) -> str:
        """Name of the endpoint that answered last for the newest blocks."""
        return self._leading

    async def chain_id(self) -> ChainId:
        """Return the chain id served."""
        return await self._first(lambda node: node.chain_id())

    async def block(self, ref: BlockRef) -> Head | None:
        """Return the header of `ref`. By hash, None only if no endpoint has the block: a lagging one proves nothing."""
        if isinstance(ref, BlockHash):
            return await self._first(lambda node: node.block(ref), hedge=_BY_HASH, go_on_if_none=True)
        return await self._first(lambda node: self._look(node, ref), role=EndpointRole.HEADS, hedge=_BY_NUMBER)

    async def blocks(self, numbers: Sequence[BlockNumber]) -> tuple[Head | None, ...]:
        """Return the headers at `numbers`, in their order, all from one endpoint."""
        return await self._first(lambda node: node.blocks(numbers), role=EndpointRole.HEADS, hedge=_BY_NUMBER)

    async def logs(
        self, *, block_hash: BlockHash, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of one block, in order; no addresses means any."""
        return await self._first(
            lambda node: node.logs(block_hash=block_hash, addresses=addresses, topics=topics),
            role=EndpointRole.LOGS,
            hedge=_LOGS,
        )

    async def logs_range(
        self, first: BlockNumber, last: BlockNumber, *, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of the canonical blocks `first` to `last`, both included, in order."""
        return await self._first(
            lambda node: node.logs_range(first, last, addresses=addresses, topics=topics), role=EndpointRole.LOGS
        )

    async def code(self, address: Address, at: BlockRef) -> bytes:
        """Return the runtime code; empty for an account without."""
        return await self._first(lambda node: node.code(address, at), role=self._role_at(at))

    async def balance(self, address: Address, at: BlockRef) -> Wei:
        """Return the native balance."""
        return await self._first(lambda node: node.balance(address, at), role=self._role_at(at))

    async def nonce(self, address: Address, at: BlockRef) -> Nonce:
        """Return the next unused nonce as of `at`; waiting transactions do not count."""
        return await self._first(lambda node: node.nonce(address, at), role=self._role_at(at))

    async def call(
        self,
        to: Address,
        data: bytes,
        at: BlockRef,
        *,
        sender: Address | None = None,
        value: Wei = Wei(0),  # noqa: B008 - a NewType of a constant
    ) -> bytes:
        """Return what the contract answers."""
        return await self._first(
            lambda node: node.call(to, data, at, sender=sender, value=value), role=self._role_at(at)
        )

    async def call_many(self, calls: Sequence[tuple[Address, bytes]], at: BlockRef) -> tuple[bytes | CallReverted, ...]:
        """Return each contract's answer or refusal, in order."""
        return await self._first(lambda node: node.call_many(calls, at), role=self._role_at(at))

    async def receipt(self, tx_hash: TxHash) -> Receipt | None:
        """Return the outcome, None while the transaction is not mined."""
        return await self._first(lambda node: node.receipt(tx_hash))

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> tuple[Receipt | None, ...]:
        """Return each outcome, in order; None for what is not mined."""
        return await self._first(lambda node: node.receipts(tx_hashes))

    async def transaction(self, tx_hash: TxHash) -> TransactionView | None:
        """Return the transaction, mined or waiting; None only if no endpoint knows it."""
        return await self._first(lambda node: node.transaction(tx_hash), go_on_if_none=True)

    async def estimate_gas(self, *, sender: Address, to: Address | None, data: bytes, value: Wei = Wei(0)) -> Gas:  # noqa: B008 - a NewType of a constant
        """Return the gas a node thinks the transaction needs at its head."""
        return await self._first(lambda node: node.estimate_gas(sender=sender, to=to, data=data, value=value))

    async def fee_suggestion(self) -> Fees:
        """Return prices that stay valid while the base fee doubles."""
        return await self._first(lambda node: node.fee_suggestion())

    async def agree(self, ask: Callable[[ChainReader], Awaitable[T]]) -> T:
        """Return the answer of a quorum; an endpoint that fails counts for nobody, and nothing lowers the quorum.

        Waits until no other answer can reach the quorum too, so a quorum above half is also the fastest.
        """
        inbox: asyncio.Queue[Vote[T]] = asyncio.Queue()
        votes: list[Vote[T]] = []
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._vote(node, ask, inbox)) for node in self._readers]
            while (result := count_votes(votes, len(self._readers), self._quorum)) is None:
                votes.append(await inbox.get())
            for task in tasks:
                task.cancel()
        for odd in result.odd:
            observe.endpoint_disagreed(self.name, odd)
        if isinstance(result.answer, ChainError):
            observe.quorum_missing(self.name, result.answer.detail)
        if isinstance(result.answer, (ChainError, CallReverted)):
            raise result.answer
        return result.answer

    async def clock_bounds(self) -> ClockBounds:
        """Return the earliest and the latest head time that any endpoint reports."""
        times = [head.timestamp for head in await self._heads()]
        return ClockBounds(earliest=min(times), latest=max(times))

    async def highest_head(self) -> Head:
        """Ask every endpoint and return the highest head; who is behind is asked later from now on."""
        heads = await self._heads()
        for node in self._readers:
            # Once more, now that the highest of all is known.
            if node.vitals.head is not None:
                node.vitals.told_of(node.vitals.head, self._newest)
        return max(heads, key=lambda head: head.number)

    async def send_raw(self, raw: bytes) -> SendOutcome:
        """Broadcast; the endpoints that have not answered when this returns still get the bytes."""
        inbox: asyncio.Queue[SendOutcome | ChainError] = asyncio.Queue()
        for node in self._senders:
            task = self._spawner.spawn(self._offer(node, raw, inbox), name=f"send:{self.name}/{node.name}")
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)
        outcomes: list[SendOutcome] = []
        failures: list[ChainError] = []
        for _ in self._senders:
            answer = await inbox.get()
            if isinstance(answer, ChainError):
                failures.append(answer)
            elif answer.is_in_flight:
                return answer
            else:
                outcomes.append(answer)
        if outcomes:
            return best_outcome(outcomes)
        raise _all_failed(self.name, failures)

    async def finish_sends(self) -> None:
        """Return once every endpoint has answered every broadcast, or timed out."""
        if self._sends:
            await asyncio.wait(self._sends)

    async def _offer(self, node: Node, raw: bytes, inbox: asyncio.Queue[SendOutcome | ChainError]) -> None:
        # No endpoint rests from sending: a claim goes to all of them.
        begun = self._clock.monotonic()
        try:
            outcome: SendOutcome | ChainError = await node.send_raw(raw)
        except ChainError as error:
            self._failed(node, error, begun)
            outcome = error
        inbox.put_nowait(outcome)

    async def _vote(self, node: Node, ask: Callable[[Node], Awaitable[T]], inbox: asyncio.Queue[Vote[T]]) -> None:
        inbox.put_nowait(Vote(name=node.name, outcome=await self._attempt(node, ask)))

    async def _heads(self) -> list[Head]:
        """Return the heads of all readers that have one, at least one."""
        inbox: asyncio.Queue[Vote[Head | None]] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            for node in self._readers:
                group.create_task(self._vote(node, partial(self._look, ref=BlockTag.HEAD), inbox))
        outcomes = [inbox.get_nowait().outcome for _ in self._readers]
        heads = [outcome for outcome in outcomes if isinstance(outcome, Head)]
        if not heads:
            raise ChainError(UNREACHABLE, f"{self.name}: no endpoint reports a head")
        return heads

    async def _look(self, node: Node, ref: BlockRef) -> Head | None:
        """Ask `node` for a block and learn from a head how far it is behind the others."""
        head = await node.block(ref)
        if head is not None and ref is BlockTag.HEAD:
            self._newest = max(self._newest, head.number)
            node.vitals.told_of(head.number, self._newest)
        return head

    async def _first(
        self,
        ask: Callable[[Node], Awaitable[T]],
        *,
        role: EndpointRole | None = None,
        hedge: str | None = None,
        go_on_if_none: bool = False,
    ) -> T:
        """Return the first usable answer, asking rested endpoints first, all of them if need be.

        With the method `hedge`, an endpoint slower than it is wont to be gets a second one beside it.
        """
        failures: list[ChainError] = []
        answered = False
        waiting = self._in_order(role)
        while waiting:
            for node, outcome in await self._race(waiting, ask, hedge, go_on_if_none=go_on_if_none):
                if isinstance(outcome, CallReverted):
                    raise outcome
                if isinstance(outcome, ChainError):
                    failures.append(outcome)
                elif outcome is not None or not go_on_if_none:
                    if role is EndpointRole.HEADS:
                        self._led_by(node)
                    return outcome
                else:
                    nothing, answered = outcome, True
        if answered:
            return nothing
        raise _all_failed(self.name, failures)

    async def _race(
        self, waiting: list[Node], ask: Callable[[Node], Awaitable[T]], hedge: str | None, *, go_on_if_none: bool
    ) -> list[tuple[Node, T | CallReverted | ChainError]]:
        """Take the first of `waiting` and ask it; if it keeps us waiting too long, the next beside it.

        Return the outcomes as they came; what comes after a usable one is not waited for.
        """
        lead = waiting.pop(0)
        if lead.vitals.phase is not Phase.CLOSED:
            patience = _TRIAL_PATIENCE  # nobody waits long for the trial of a rested endpoint
        elif hedge is not None:
            patience = lead.vitals.hedge_after(hedge)
        else:
            patience = None
        if patience is None or not waiting or not waiting[0].vitals.is_admitted:
            return [(lead, await self._attempt(lead, ask))]
        # Before anybody else can run: of two who find a rest over, one tries.
        if (refusal := lead.vitals.begin(f"{self.name}/{lead.name}")) is not None:
            return [(lead, refusal)]
        outcomes: list[tuple[Node, T | CallReverted | ChainError]] = []
        try:
            async with asyncio.TaskGroup() as group:
                first = group.create_task(self._ask(lead, ask))
                timer = group.create_task(self._clock.sleep(patience))
                await asyncio.wait({first, timer}, return_when=asyncio.FIRST_COMPLETED)
                timer.cancel()
                running = {first: lead}
                if not first.done():
                    second = waiting.pop(0)
                    observe.request_hedged(self.name, second.name)
                    running[group.create_task(self._attempt(second, ask))] = second
                while running:
                    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    outcomes.extend((running.pop(task), task.result()) for task in done)
                    if any(_is_usable(outcome, go_on_if_none=go_on_if_none) for _, outcome in outcomes):
                        break
                for task in running:
                    task.cancel()
        finally:
            if all(node is not lead for node, _ in outcomes):
                lead.vitals.given_up()  # a task cancelled before its first step could not
        return outcomes

    async def _attempt(self, node: Node, ask: Callable[[Node], Awaitable[T]]) -> T | CallReverted | ChainError:
        """Ask one endpoint, and let its breaker know; a failure is a value."""
        if (refusal := node.vitals.begin(f"{self.name}/{node.name}")) is not None:
            return refusal
        return await self._ask(node, ask)

    async def _ask(self, node: Node, ask: Callable[[Node], Awaitable[T]]) -> T | CallReverted | ChainError:
        """Ask one endpoint that knows of it."""
        begun = self._clock.monotonic()
        try:
            outcome: T | CallReverted | ChainError = await ask(node)
        except CallReverted as reverted:
            outcome = reverted
        except ChainError as error:
            self._failed(node, error, begun)
            return error
        except asyncio.CancelledError:
            node.vitals.given_up()
            raise
        node.vitals.answered(begun)
        return outcome

    def _in_order(self, role: EndpointRole | None) -> list[Node]:
        """Return all readers: the owner's order, overruled by role, by rest and where the figures are far apart."""
        late = dict(zip(self._readers, stands_back([node.vitals.cost for node in self._readers]), strict=True))

        def place(node: Node) -> tuple[object, ...]:
            vitals = node.vitals
            lacks_role = role is not None and role not in node.roles
            if vitals.is_admitted:
                # Whoever may be tried is tried, whatever it showed before its rest.
                return (0, vitals.is_day_spent, lacks_role, late[node] and vitals.phase is Phase.CLOSED)
            # A resting endpoint is asked last, not never: our own caution must not stop a claim.
            return (1, vitals.rests_until)

        return sorted(self._readers, key=place)

    def _role_at(self, at: BlockRef) -> EndpointRole | None:
        """Return who is asked first for the state at a block: an archive if the others will have thrown it away."""
        is_old = not isinstance(at, (BlockTag, BlockHash)) and at < self._newest - _STATES_KEPT
        return EndpointRole.ARCHIVE if is_old else None

    def _led_by(self, node: Node) -> None:
        if node.name != self._leading:
            observe.endpoint_switched(self.name, self._leading, node.name)
            self._leading = node.name

    def _failed(self, node: Node, error: ChainError, begun: float) -> None:
        rest = node.vitals.failed(error, begun)
        if rest is not None:
            observe.endpoint_rested(self.name, node.name, rest, error.code)


@asynccontextmanager
async def open_chain(
    *,
    name: str,
    chain_id: ChainId,
    endpoints: Sequence[Endpoint],
    quorum: int,
    clock: Clock,
    spawner: Spawner,
    answer_within: float = 5.0,
) -> AsyncIterator[RpcChain]:
    """Open a chain over HTTP endpoints, in order of preference; each attempt ends within `answer_within` seconds.

    Nothing is asked yet. Closing waits for broadcasts that some endpoint has not answered.

    Raises:
        ConfigError: the quorum does not fit the endpoints, or two have one name.
    """
    # A claim must not wait for a TLS handshake because nothing was asked for some blocks.
    connector = aiohttp.TCPConnector(limit_per_host=64, keepalive_timeout=60.0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        nodes = [
            RpcNode(
                RpcEndpoint(
                    session,
                    clock,
                    chain=name,
                    name=endpoint.name,
                    url=endpoint.url,
                    answer_within=answer_within,
                    vitals=Vitals(clock, endpoint.budget),
                ),
                clock,
                chain_id=chain_id,
                roles=endpoint.roles,
            )
            for endpoint in endpoints
        ]
        chain = RpcChain(name, nodes, quorum=quorum, clock=clock, spawner=spawner)
        try:
            yield chain
        finally:
            await chain.finish_sends()


_BY_HASH: Final = "eth_getBlockByHash"
_BY_NUMBER: Final = "eth_getBlockByNumber"
_LOGS: Final = "eth_getLogs"
_TRIAL_PATIENCE: Final = 0.05
"""Seconds that a rested endpoint is tried alone."""
_STATES_KEPT: Final = 128
"""Blocks whose state a node keeps that is no archive. Source: geth."""


def _is_usable(outcome: object, *, go_on_if_none: bool) -> bool:
    return not isinstance(outcome, ChainError) and (outcome is not None or not go_on_if_none)


def _all_failed(chain: str, failures: list[ChainError]) -> ChainError:
    """Return one error for all: the wish for a narrower range first, since only that one is ours to grant."""
    worst = next((error for error in failures if error.code == RANGE_TOO_WIDE), failures[-1])
    if len(failures) == 1:
        return worst
    return ChainError(worst.code, f"{chain}: every endpoint failed: " + "; ".join(map(str, failures)), hint=worst.hint)
