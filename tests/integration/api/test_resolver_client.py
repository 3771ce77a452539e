"""The client against the real server on a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.api_values import ORDER_HASH, SIGNED, SmallResolver
from tests.support.swap_values import A_SECRET

from bmn.api.server import build_app, run_api
from bmn.core.errors import BadInput, ConfigError, NotFound, Refused
from bmn.core.units import OrderHash, Secret
from bmn.resolver.intake import Rejected
from bmn.resolver.secret_intake import NotTaken
from bmn.sdk.client import ResolverClient, ResolverUnreachable, open_resolver

HOST = "127.0.0.1"


def a_free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def serving(resolver: SmallResolver) -> AsyncIterator[ResolverClient]:
    port = a_free_port()
    served = asyncio.create_task(run_api(build_app(resolver.deps), HOST, port))
    try:
        async with open_resolver(f"http://{HOST}:{port}/") as client:
            async with asyncio.timeout(20):
                while True:
                    try:
                        await client.health()
                        break
                    except ResolverUnreachable:
                        await asyncio.sleep(0.01)
            yield client
    finally:
        served.cancel()
        with pytest.raises(asyncio.CancelledError):
            await served


async def test_an_order_goes_in_is_shown_and_its_secret_taken() -> None:
    resolver = SmallResolver()
    async with serving(resolver) as client:
        accepted = await client.submit_order(SIGNED)
        assert accepted.order_hash == str(ORDER_HASH)
        status = await client.order(ORDER_HASH)
        assert status.src_escrow is not None
        assert (status.state, status.src_escrow.deployed_at) == ("AWAIT_SECRET", 1_800_000_000)
        await client.hand_over_secret(ORDER_HASH, A_SECRET)
        assert resolver.secrets == {ORDER_HASH: A_SECRET}
        assert (await client.resolver_info()).pairs[0].dst == 31338


async def test_problems_come_back_as_our_errors_with_their_codes() -> None:
    resolver = SmallResolver()
    async with serving(resolver) as client:
        with pytest.raises(NotFound) as unknown:
            await client.order(OrderHash(bytes(32)))
        with pytest.raises(BadInput) as wrong:
            await client.hand_over_secret(ORDER_HASH, Secret(bytes(32)))
        resolver.refusal = Rejected(code="PAUSED", detail="no orders now", hint="try later")
        with pytest.raises(Refused) as refused:
            await client.submit_order(SIGNED)
        resolver.not_taken = NotTaken(code="TOO_LATE", detail="no time", hint="keep it")
        with pytest.raises(Refused) as late:
            await client.hand_over_secret(ORDER_HASH, A_SECRET)
    assert [error.value.code for error in (unknown, wrong, refused, late)] == [
        "ORDER_UNKNOWN",
        "WRONG_SECRET",
        "PAUSED",
        "TOO_LATE",
    ]
    assert refused.value.hint == "try later"


async def test_nobody_there_is_unreachable() -> None:
    async with open_resolver(f"http://{HOST}:{a_free_port()}") as client:
        with pytest.raises(ResolverUnreachable) as error:
            await client.health()
    assert (error.value.code, error.value.exit_code) == ("RESOLVER_UNREACHABLE", 5)


async def test_a_port_that_is_taken_says_what_to_do() -> None:
    with socket.create_server((HOST, 0)) as listener, pytest.raises(ConfigError) as error:
        await run_api(build_app(SmallResolver().deps), HOST, listener.getsockname()[1])
    assert error.value.code == "PORT_IN_USE"
    assert error.value.hint


async def test_a_url_that_is_none_is_bad_input() -> None:
    with pytest.raises(BadInput):
        async with open_resolver("ftp://there"):
            pass
