"""One named JSON-RPC endpoint over HTTP: typed calls and batches, every failure translated.

An endpoint's URL may carry a key, so it appears in no message, metric or repr: endpoints have names.
"""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

import aiohttp
import msgspec

from bmn.core.errors import BadInput, ChainError
from bmn.evm.failures import (
    BAD_ANSWER,
    BATCH_TOO_BIG,
    OWN_QUEUE,
    UNREACHABLE,
    CallReverted,
    RateLimited,
    is_about_batches,
    translate_error,
)
from bmn.evm.vitals import Vitals
from bmn.observe import chain as observe
from bmn.seams import Clock

T = TypeVar("T")
_W = TypeVar("_W")

BATCH_MAX = 100
"""Calls in one HTTP body; common providers refuse more."""

Params: TypeAlias = tuple[object, ...]
"""JSON values in the order of the method; bytes are already 0x-hex."""


class NodeError(msgspec.Struct):
    """The `error` object of a JSON-RPC answer, as the node worded it."""

    code: int = 0
    message: str = ""
    data: object = None


class _Reply(msgspec.Struct, Generic[T]):
    id: int | None = None
    result: T | None = None
    error: NodeError | None = None


class _Request(msgspec.Struct):
    id: int
    method: str
    params: Params
    jsonrpc: str = "2.0"


class Answer(Generic[T]):
    """How to read one kind of result; build it once per kind, at import."""

    def __init__(self, wire: Any, parse: Callable[[Any], T]) -> None:
        """Decode JSON as `wire`, a type of msgspec, then `parse` it; `parse` may raise BadInput."""
        self.one = msgspec.json.Decoder(_Reply[wire])
        self.many = msgspec.json.Decoder(list[_Reply[wire]])
        self.parse = parse


class RpcEndpoint:
    """Sends JSON-RPC to one URL. Holds no connection of its own: the session is the caller's."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        clock: Clock,
        *,
        chain: str,
        name: str,
        url: str,
        answer_within: float,
        vitals: Vitals | None = None,
    ) -> None:
        """Speak to `url` as `name` on chain `chain`.

        An attempt waits at most `answer_within` seconds for its turn, and as long for its answer.
        """
        self.chain = chain
        self.name = name
        self.vitals = vitals or Vitals(clock)
        self.batch_most = BATCH_MAX
        """Calls it takes in one body, as far as we know."""
        self._session = session
        self._clock = clock
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=answer_within)
        self._ids = itertools.count(1)

    def __repr__(self) -> str:
        return f"RpcEndpoint({self.where})"

    @property
    def where(self) -> str:
        """Chain and endpoint, for messages."""
        return f"{self.chain}/{self.name}"

    async def call(self, method: str, params: Params, answer: Answer[T]) -> T | None:
        """Return the result of one call; None is JSON null.

        Raises:
            CallReverted: the node executed the call and the contract refused.
            ChainError: RPC_UNREACHABLE, RPC_RATE_LIMITED, RPC_BAD_ANSWER, RANGE_TOO_WIDE, RPC_OWN_QUEUE or RPC_ERROR.
        """
        result = await self.ask(method, params, answer)
        if isinstance(result, NodeError):
            self._fail(method, self._translated(method, result))
        return result

    async def ask(self, method: str, params: Params, answer: Answer[T]) -> T | NodeError | None:
        """As `call`, with the node's own error as a value: for calls whose errors mean something of their own.

        Raises:
            ChainError: RPC_UNREACHABLE, RPC_RATE_LIMITED (by HTTP) or RPC_BAD_ANSWER.
        """
        request = _Request(next(self._ids), method, params)
        reply = await self._exchange(method, request, answer.one, calls=1)
        # Some nodes answer an unreadable request without an id.
        if reply.id != request.id and (reply.error is None or reply.id is not None):
            self._fail(method, ChainError(BAD_ANSWER, f"{self.where} {method}: answer to another request"))
        return reply.error or self._parsed(method, answer, reply.result)

    async def batch(
        self, method: str, calls: Sequence[Params], answer: Answer[T]
    ) -> list[T | ChainError | CallReverted | None]:
        """Return one result or error per call, in order; sent in bodies as large as the endpoint takes.

        What it takes is learnt from its refusals, and kept while we run.

        Raises:
            ChainError: as `call`, when a whole body failed.
        """
        results: list[T | ChainError | CallReverted | None] = []
        while len(results) < len(calls):
            rest = calls[len(results) :]
            if self.batch_most == 1:
                return results + await self._one_by_one(method, rest, answer)
            part = rest[: self.batch_most]
            try:
                answers = await self._body(method, part, answer)
            except ChainError as error:
                if error.code != BATCH_TOO_BIG or len(part) == 1:
                    raise
                self.batch_most = min(self.batch_most, len(part) // 2)
            else:
                results.extend(answers)
        return results

    async def _one_by_one(
        self, method: str, calls: Sequence[Params], answer: Answer[T]
    ) -> list[T | ChainError | CallReverted | None]:
        async def one(params: Params) -> T | ChainError | CallReverted | None:
            try:
                result = await self.ask(method, params, answer)
            except ChainError as error:
                return error
            return self._translated(method, result) if isinstance(result, NodeError) else result

        # The door decides how many are out at once.
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(params)) for params in calls]
        return [task.result() for task in tasks]

    async def _body(
        self, method: str, calls: Sequence[Params], answer: Answer[T]
    ) -> list[T | ChainError | CallReverted | None]:
        requests = [_Request(next(self._ids), method, params) for params in calls]
        answers = await self._exchange(method, requests, answer.many, calls=len(requests))
        if len(requests) > 1 and any(reply.error and is_about_batches(reply.error.message) for reply in answers):
            self._fail(method, ChainError(BATCH_TOO_BIG, f"{self.where} {method}: {len(requests)} calls"))
        replies = {reply.id: reply for reply in answers}
        if len(replies) != len(requests) or any(request.id not in replies for request in requests):
            self._fail(method, ChainError(BAD_ANSWER, f"{self.where} {method}: batch answered in part"))
        ordered = [replies[request.id] for request in requests]
        return [
            self._translated(method, reply.error) if reply.error else self._parsed(method, answer, reply.result)
            for reply in ordered
        ]

    def _parsed(self, method: str, answer: Answer[T], result: object) -> T | None:
        if result is None:
            return None
        try:
            return answer.parse(result)
        except BadInput as error:
            self._fail(method, ChainError(BAD_ANSWER, f"{self.where} {method}: {error.detail}"), cause=error)

    async def _exchange(self, method: str, request: object, decoder: msgspec.json.Decoder[_W], *, calls: int) -> _W:
        """POST `request` and decode the body, whatever the HTTP status: many nodes send errors with 4xx or 5xx."""
        content = _encode(request)
        try:
            async with asyncio.timeout(self._timeout.total):
                await self.vitals.enter(calls, is_urgent=method == _SEND)
        except TimeoutError:
            detail = f"{self.where} {method}: too many requests of ours wait for this endpoint"
            self._fail(method, ChainError(OWN_QUEUE, detail), cause=None)
        try:
            response, body = await self._timed(method, content, calls)
        finally:
            self.vitals.leave()
        if response.status == 429:
            wait = _seconds(response.headers.get("Retry-After", ""))
            self._fail(method, RateLimited(f"{self.where} {method}: HTTP 429", retry_after=wait))
        try:
            decoded = decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._refuse_body(method, response.status, body, error, calls)
        self.vitals.ended(None)
        return decoded

    async def _timed(self, method: str, content: bytes, calls: int) -> tuple[aiohttp.ClientResponse, bytes]:
        started = self._clock.monotonic()
        try:
            try:
                answer = await self._post(content)
            except aiohttp.ServerDisconnectedError:
                # The server closed a connection kept open; every call of ours may be repeated.
                answer = await self._post(content)
        except (aiohttp.ClientError, OSError) as error:
            # `from None`: the library's texts carry the URL.
            detail = f"endpoint {self.where} does not answer {method}: {type(error).__name__}"
            hint = "check that the node runs and that its address in the settings is right"
            self._fail(method, ChainError(UNREACHABLE, detail, hint=hint), cause=None)
        except asyncio.CancelledError:
            self.vitals.outwaited(method, self._clock.monotonic() - started)
            raise
        seconds = self._clock.monotonic() - started
        self.vitals.timed(method, seconds, calls=calls)
        observe.rpc_answered(self.chain, self.name, method, seconds)
        return answer

    async def _post(self, content: bytes) -> tuple[aiohttp.ClientResponse, bytes]:
        async with self._session.post(
            self._url, data=content, headers=_JSON, timeout=self._timeout, allow_redirects=False
        ) as response:
            return response, await response.read()

    def _refuse_body(self, method: str, status: int, body: bytes, error: Exception, calls: int) -> NoReturn:
        """Say what a body is that does not decode: an error for a whole batch, an HTTP error page, or rubbish."""
        try:
            whole = _WHOLE.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            whole = None
        told = whole.error if whole is not None else None
        if calls > 1 and (status == 413 or (told is not None and is_about_batches(told.message))):
            self._fail(method, ChainError(BATCH_TOO_BIG, f"{self.where} {method}: {calls} calls"))
        if told is not None:
            self._fail(method, self._translated(method, told))
        if status != 200:
            self._fail(method, ChainError(UNREACHABLE, f"{self.where} {method}: HTTP {status}"))
        self._fail(method, ChainError(BAD_ANSWER, f"{self.where} {method}: {error}"), cause=error)

    def _translated(self, method: str, error: NodeError) -> ChainError | CallReverted:
        return translate_error(error.code, error.message, error.data, where=f"{self.where} {method}")

    def _fail(self, method: str, error: ChainError | CallReverted, cause: Exception | None = None) -> NoReturn:
        if isinstance(error, ChainError):
            self.vitals.ended(error)
            observe.rpc_failed(self.chain, self.name, method, error.code)
        raise error from cause


_SEND = "eth_sendRawTransaction"
_JSON = {"content-type": "application/json"}
_encode = msgspec.json.Encoder().encode
_WHOLE: msgspec.json.Decoder[_Reply[Any]] = msgspec.json.Decoder(_Reply[Any])


def _seconds(retry_after: str) -> float:
    """Read a Retry-After header given in seconds; a date or nonsense counts as one second, an hour is the most."""
    try:
        return min(max(float(retry_after), 0.0), 3600.0)
    except ValueError:
        return 1.0
