"""A proxy before PostgreSQL that cuts connections in the middle of a COMMIT."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from urllib.parse import parse_qs, urlsplit

TRANSACTIONS = (b"COMMIT;\0", b"COMMIT\0")
"""A COMMIT asked for, and answered."""

STATEMENTS = (b"E\0\0\0\x09\0\0\0\0\0", b"SELECT 1\0")
"""A statement that is its own transaction asked for, and a SELECT, which `kv_commit` is, answered with its one row."""

_CHUNK = 1 << 16


class Cut(Enum):
    """When a connection is cut."""

    BEFORE = "before"
    """The server never hears of the COMMIT: it cannot stand."""
    DURING = "during"
    """The server has the COMMIT and goes on with it alone: it may stand, now or a moment later."""
    AFTER = "after"
    """The server has answered: it stands."""


class Cutter:
    """How many cuts are to come, and which came."""

    def __init__(self, rng: random.Random, share: float, signs: tuple[bytes, bytes]) -> None:
        """`share`: of what shows the `signs`, while there are cuts to come."""
        self._rng = rng
        self._asked, self._answered = signs
        self._share = share
        self.to_come = 0
        self.came: Counter[Cut] = Counter()

    def asked(self, data: bytes) -> Cut | None:
        """Whether and how to cut at what a client sent."""
        return self._now(Cut.BEFORE, Cut.DURING) if self._asked in data else None

    def answered(self, data: bytes) -> Cut | None:
        """Whether and how to cut at what the server answered."""
        return self._now(Cut.AFTER) if self._answered in data else None

    def _now(self, *kinds: Cut) -> Cut | None:
        if self.to_come == 0 or self._rng.random() > self._share:
            return None
        self.to_come -= 1
        kind = self._rng.choice(kinds)
        self.came[kind] += 1
        return kind


@asynccontextmanager
async def open_cutter(
    dsn: str, rng: random.Random, *, share: float = 0.2, signs: tuple[bytes, bytes] = TRANSACTIONS
) -> AsyncIterator[tuple[Cutter, str]]:
    """Yield the proxy and the address of the same database through it."""
    cutter = Cutter(rng, share, signs)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await _connect(dsn)
        try:
            pumps = [
                asyncio.ensure_future(_pump(reader, up_writer, cutter.asked)),
                asyncio.ensure_future(_pump(up_reader, writer, cutter.answered)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            up_writer.close()
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        parts = urlsplit(dsn)
        user = parts.netloc.rpartition("@")[0]
        yield cutter, f"postgresql://{user}@127.0.0.1:{port}{parts.path}?sslmode=disable"
    finally:
        server.close()


async def _connect(dsn: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(dsn)
    asked = parse_qs(parts.query)
    if "host" in asked:
        return await asyncio.open_unix_connection(f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}")
    return await asyncio.open_connection(parts.hostname, parts.port or 5432)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cuts: Callable[[bytes], Cut | None]
) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            cut = cuts(data)
            if cut in {None, Cut.DURING}:
                writer.write(data)
                await writer.drain()
            if cut is not None:
                return
