"""Following the head of a chain: pushed by WebSocket where a node can, polled where it cannot or falls silent.

A push is a hint, never a record: whoever follows reads what lies between two heads from the chain.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from typing import Final, NoReturn, Protocol

import aiohttp
import msgspec

from bmn.core.errors import BadInput, ChainError
from bmn.core.units import BlockHash
from bmn.evm.rpc import NodeError
from bmn.evm.types import BlockRef, BlockTag, Endpoint, Head
from bmn.evm.wire import WireHead, parse_head
from bmn.observe import chain as observe
from bmn.seams import Clock, Spawner

STALL_BLOCKS: Final = 3
"""Block times without a head after which push counts as broken and polling starts."""
_POLL_MOST: Final = 45.0
"""Seconds between polls of a chain that stays silent although a socket is open."""
_RECONNECT_FIRST: Final = 0.25
_RECONNECT_MOST: Final = 15.0
_CONNECT_WITHIN: Final = 5.0
_REMEMBERED: Final = 1024


class HeadReader(Protocol):
    """Answers for the newest block."""

    async def block(self, ref: BlockRef) -> Head | None:
        """Return the header of `ref`."""
        ...

    async def highest_head(self) -> Head:
        """Ask every endpoint and return the highest head; who is behind is asked later from now on."""
        ...


async def follow_heads(
    chain: HeadReader, *, name: str, block_time: float, sockets: Sequence[Endpoint], clock: Clock, spawner: Spawner
) -> AsyncGenerator[Head, None]:
    """Yield each new head of chain `name` once, at first the present one; the fastest endpoint wins.

    Numbers may skip, and after a reorganisation repeat or fall: compare parent hashes. A head from an endpoint that
    lags or left the chain is not told apart here: it proves nothing until the chain is asked. The parent of a head
    that was handed on is no news. When no head came for `STALL_BLOCKS` block times, all endpoints are asked, so that
    one that stands still is left for one that goes on. Endpoints of `sockets` have a `ws_url`; `block_time` is in
    seconds. Close it with `contextlib.aclosing`.
    """
    feed = _Feed(name, clock)
    work = [spawner.spawn(_poll(feed, chain, block_time, has_push=bool(sockets)), name=f"heads:{name}")]
    work += [
        spawner.spawn(_listen(feed, endpoint, url, block_time), name=f"heads:{name}/{endpoint.name}")
        for endpoint in sockets
        if (url := endpoint.ws_url) is not None
    ]
    try:
        while True:
            yield await feed.inbox.get()
    finally:
        for task in work:
            task.cancel()


class _Feed:
    """Where poller and sockets bring heads, and what they know of each other."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.clock = clock
        self.inbox: asyncio.Queue[Head] = asyncio.Queue()
        self.newest = -1
        self._seen: OrderedDict[BlockHash, None] = OrderedDict()
        self.fresh_at = clock.monotonic()
        """Host time of the last new head, or of the start."""

    def offer(self, head: Head) -> None:
        """Hand `head` on unless it was already."""
        if head.hash in self._seen:
            return
        # The parent too: whoever brings it only now is late.
        self._seen |= {head.parent_hash: None, head.hash: None}
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        self.fresh_at = self.clock.monotonic()
        self.newest = head.number
        observe.head_seen(self.name, head.number, head.timestamp)
        self.inbox.put_nowait(head)


async def _poll(feed: _Feed, chain: HeadReader, block_time: float, *, has_push: bool) -> NoReturn:
    """Ask for the head at once, then whenever it is due: by the block time without push, else after a stall."""
    patience = STALL_BLOCKS * block_time if has_push else 0.9 * block_time
    most = _POLL_MOST if has_push else 2 * block_time
    clock = feed.clock
    stall = STALL_BLOCKS * block_time
    doubt_after = stall
    while True:
        silence = clock.monotonic() - feed.fresh_at
        try:
            if silence < doubt_after:
                head = await chain.block(BlockTag.HEAD)
            else:
                if doubt_after == stall:
                    observe.heads_stalled(feed.name, silence)
                # Twice as long before all are asked again: the chain itself may stand still.
                doubt_after = 2 * silence
                head = await chain.highest_head()
        except ChainError:
            head = None  # counted where it happened
        if head is not None:
            feed.offer(head)
        late = clock.monotonic() - feed.fresh_at - block_time
        await clock.sleep(min(max(block_time / 8, late / 4), most))
        while (now := clock.monotonic()) < (due := feed.fresh_at + patience):
            doubt_after = stall
            await clock.sleep(due - now)


async def _listen(feed: _Feed, endpoint: Endpoint, url: str, block_time: float) -> NoReturn:
    """Keep one subscription open for ever."""
    rest = _RECONNECT_FIRST
    while True:
        opened = feed.clock.monotonic()
        try:
            reason = await _subscription(feed, url, STALL_BLOCKS * block_time)
        except (aiohttp.ClientError, OSError, msgspec.DecodeError, BadInput) as error:
            reason = type(error).__name__
        observe.socket_dropped(feed.name, endpoint.name, reason)
        lasted = feed.clock.monotonic() - opened
        rest = _RECONNECT_FIRST if lasted > _RECONNECT_MOST else min(rest * 2, _RECONNECT_MOST)
        await feed.clock.sleep(rest)


class _Params(msgspec.Struct):
    result: WireHead


class _Push(msgspec.Struct):
    params: _Params | None = None
    error: NodeError | None = None


_decode = msgspec.json.Decoder(_Push).decode
_SUBSCRIBE: Final = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'


async def _subscription(feed: _Feed, url: str, patience: float) -> str:
    """Bring heads from one connection until it ends or proves deaf; return why it ended."""
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(_CONNECT_WITHIN):
            socket = await session.ws_connect(url, heartbeat=10.0)
        async with socket:
            await socket.send_str(_SUBSCRIBE)
            newest_here = feed.newest
            while True:
                try:
                    message = await socket.receive(timeout=patience)
                except TimeoutError:
                    # An idle chain is silent too: deaf is who misses what others heard.
                    if 0 <= newest_here < feed.newest:
                        return "silent"
                    newest_here = feed.newest
                    continue
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return "closed"
                push = _decode(message.data)
                if push.error is not None:
                    return "no newHeads"
                if push.params is not None:
                    head = parse_head(push.params.result)
                    newest_here = head.number
                    feed.offer(head)
