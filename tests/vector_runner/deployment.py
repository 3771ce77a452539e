"""Our contracts on a local chain, at the very addresses of the reference's deployment.

The vectors' orders name those addresses and are signed for them, so orders, signatures and events can be replayed
unchanged. Only escrow addresses differ, for they follow from the bytecode of the implementations.
"""

import json
from dataclasses import dataclass

from tests.vector_runner.abi import ORDER_PROTOCOL
from tests.vector_runner.local_chain import LocalChain

from bmn.bindings import resolver_calls, token_calls
from bmn.bindings.artifacts import load_artifact
from bmn.core.escrow_address import create_address
from bmn.core.units import Address, Seconds, TokenAmount
from bmn.core.words import encode_address, encode_uint
from bmn.evm.devkeys import DEV_ADDRESSES

MAKER, RESOLVER, HOLDER, OUTSIDER, RECEIVER, OWNER, BANK = DEV_ADDRESSES[1:8]
"""Roles of the vectors; BANK owns all tokens, OWNER our Resolver."""

# Where the reference deployed; swap_flows says it in every case, the other files only in what follows from it.
LOP_ADDRESS = Address.from_hex("0xe7f1725e7734ce288f8367e1bb143e90bb3f0512")
FACTORY_ADDRESS = Address.from_hex("0x0165878a594ca255338adfa4d48449f69242eb8f")
TOKEN_ADDRESS = Address.from_hex("0xdc64a140aa3e981100a9beca4e685f962f0cf6c9")
RESCUE_DELAYS = (Seconds(604_800), Seconds(691_200))

LOTS = TokenAmount(10**30)
_MAX_128 = TokenAmount(2**128 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Where the contracts of one chain are."""

    lop: Address
    factory: Address
    token: Address
    access_token: Address

    @property
    def src_implementation(self) -> Address:
        """Our factory's first creation."""
        return create_address(self.factory, 1)

    @property
    def dst_implementation(self) -> Address:
        """Our factory's second creation."""
        return create_address(self.factory, 2)


def deploy(
    chain: LocalChain,
    *,
    lop: Address = LOP_ADDRESS,
    factory: Address = FACTORY_ADDRESS,
    token: Address = TOKEN_ADDRESS,
    rescue_delays: tuple[Seconds, Seconds] = RESCUE_DELAYS,
) -> Deployment:
    """Put order protocol, factory, a token and the access token on a chain; HOLDER gets one access token unit."""
    access_token = chain.deploy(BANK, _init_code("BmnToken", encode_address(BANK), encode_uint(LOTS)))
    order_protocol = bytes.fromhex(json.loads(ORDER_PROTOCOL.read_text())["bytecode"].removeprefix("0x"))
    chain.deploy_at(lop, order_protocol + encode_address(access_token))
    chain.deploy_at(token, _init_code("BmnToken", encode_address(BANK), encode_uint(LOTS)))
    arguments = (lop, access_token, access_token, OWNER)
    chain.deploy_at(
        factory, _init_code("EscrowFactory", *map(encode_address, arguments), *map(encode_uint, rescue_delays))
    )
    chain.must(BANK, access_token, token_calls.build_transfer(HOLDER, TokenAmount(1)))
    return Deployment(lop=lop, factory=factory, token=token, access_token=access_token)


def deploy_resolver(chain: LocalChain, deployment: Deployment, address: Address, operator: Address) -> None:
    """Put our Resolver at `address`, without limits worth mentioning, with coins and tokens to lock."""
    arguments = (deployment.lop, deployment.factory, OWNER, OWNER)
    chain.deploy_at(address, _init_code("Resolver", *map(encode_address, arguments)))
    chain.must(OWNER, address, resolver_calls.build_set_operator(operator, allowed=True))
    limit = resolver_calls.TokenLimit(per_lock=_MAX_128, per_hour=TokenAmount(0))
    for token in (deployment.token, Address(bytes(20))):
        chain.must(OWNER, address, resolver_calls.build_set_limit(token, limit))
    give(chain, deployment.token, address, TokenAmount(10**24))
    chain.must(BANK, address, value=10**21)


def give(chain: LocalChain, token: Address, receiver: Address, amount: TokenAmount) -> None:
    """Send tokens from the bank."""
    chain.must(BANK, token, token_calls.build_transfer(receiver, amount))


def token_balance(chain: LocalChain, token: Address, owner: Address) -> int:
    """Read a balance."""
    return token_calls.decode_amount(chain.simulate(owner, token, token_calls.build_balance_of(owner)))


def _init_code(name: str, *arguments: bytes) -> bytes:
    return load_artifact(name).bytecode + b"".join(arguments)
