"""A resolver over HTTP: submit orders, follow them, hand over secrets. Its word is a hint; the chain is the truth."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import aiohttp
import msgspec

from bmn.core.compact_signature import encode_signature
from bmn.core.errors import BadInput, BmnError, NotFound, Refused, TransientError
from bmn.core.signed_order import SignedOrder
from bmn.core.units import OrderHash, Secret
from bmn.sdk.answers import Health, OrderAccepted, OrderStatus, ResolverInfo

T = TypeVar("T")


class ResolverUnreachable(TransientError):
    """The resolver did not answer; whatever was asked may have happened."""

    exit_code = 5


class ResolverClient:
    """One resolver.

    Every call raises ResolverUnreachable when no usable answer came, and BadInput, NotFound or Refused with the
    resolver's own code when it says no.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def submit_order(self, signed: SignedOrder) -> OrderAccepted:
        """Publish an order; the identical one again is fine."""
        order = signed.order
        body = {
            "src_chain": signed.src_chain,
            "order": {
                "salt": str(order.salt),
                "maker": str(order.maker),
                "receiver": str(order.receiver),
                "makerAsset": str(order.maker_asset),
                "takerAsset": str(order.taker_asset),
                "makingAmount": str(order.making_amount),
                "takingAmount": str(order.taking_amount),
                "makerTraits": str(order.maker_traits),
            },
            "extension": "0x" + signed.extension.hex(),
            "signature": "0x" + encode_signature(signed.signature).hex(),
        }
        return await self._ask("POST", "/api/v1/orders", OrderAccepted, body)

    async def order(self, order_hash: OrderHash) -> OrderStatus:
        """Return where an order stands."""
        return await self._ask("GET", f"/api/v1/orders/{order_hash}", OrderStatus)

    async def hand_over_secret(self, order_hash: OrderHash, secret: Secret) -> None:
        """Give the secret away: from here on the resolver can claim. Verify both escrows first."""
        body = {"secret": "0x" + secret.reveal().hex()}
        await self._ask("POST", f"/api/v1/orders/{order_hash}/secret", _Nothing, body)

    async def resolver_info(self) -> ResolverInfo:
        """Return the chains, contracts and pairs it trades."""
        return await self._ask("GET", "/api/v1/resolver", ResolverInfo)

    async def health(self) -> Health:
        """Return how it is; a sick resolver answers too."""
        return await self._ask("GET", "/health", Health, also=503)

    async def _ask(self, method: str, path: str, kind: type[T], body: object = None, *, also: int = 200) -> T:
        try:
            # A redirect could send a secret elsewhere.
            async with self._session.request(method, self._url + path, json=body, allow_redirects=False) as response:
                status, raw = response.status, await response.content.read(_MOST)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(f"no answer ({type(error).__name__})") from None
        if status not in {200, 201, 202, also}:
            raise _translate(status, raw)
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.MsgspecError:
            raise _unreachable(f"status {status} with a body of another shape") from None


@asynccontextmanager
async def open_resolver(url: str, *, answer_within: float = 10.0) -> AsyncIterator[ResolverClient]:
    """Open a client of the resolver at `url`; nothing is asked yet. Each call ends within `answer_within` seconds.

    Raises:
        BadInput: BAD_URL: neither http:// nor https://.
    """
    if not url.startswith(("http://", "https://")):
        raise BadInput("BAD_URL", "the address of a resolver begins with http:// or https://")
    timeout = aiohttp.ClientTimeout(total=answer_within)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield ResolverClient(session, url)


_MOST: Final = 4_000_000


class _Nothing(msgspec.Struct):
    """Any JSON object."""


class _Problem(msgspec.Struct):
    code: str
    detail: str = ""
    hint: str = ""


def _translate(status: int, raw: bytes) -> BmnError:
    try:
        found = msgspec.json.decode(raw, type=_Problem)
    except msgspec.MsgspecError:
        return _unreachable(f"status {status}")
    match status:
        case 400 | 413:
            return BadInput(found.code, found.detail, hint=found.hint)
        case 404:
            return NotFound(found.code, found.detail, hint=found.hint)
        case 409 | 422:
            return Refused(found.code, found.detail, hint=found.hint)
        case _:
            return _unreachable(f"status {status} {found.code}")


def _unreachable(detail: str) -> ResolverUnreachable:
    return ResolverUnreachable(
        "RESOLVER_UNREACHABLE", f"the resolver did not answer: {detail}", hint="is it running, and is the URL right?"
    )
