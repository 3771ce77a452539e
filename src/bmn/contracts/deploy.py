"""Put our contracts on a chain, at addresses that are equal on every chain; what is already there is left alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bmn.bindings import create3_calls, resolver_calls, token_calls
from bmn.bindings.artifacts import load_artifact
from bmn.bindings.resolver_calls import TokenLimit
from bmn.contracts.sending import OneByOne
from bmn.core.chain import Contracts
from bmn.core.errors import ConfigError, Refused
from bmn.core.escrow_address import create2_address, create3_address, create_address
from bmn.core.hashing import keccak
from bmn.core.units import ZERO_ADDRESS, Address, Hash32, Seconds, TokenAmount
from bmn.core.words import encode_address, encode_uint
from bmn.evm.client import ChainReader
from bmn.evm.devkeys import DEV_CHAIN_IDS
from bmn.evm.types import BlockTag

RESCUE_DELAYS: Final = (Seconds(604_800), Seconds(691_200))
"""Of source and destination escrows, in what we deploy."""
TOKEN_SUPPLY: Final = TokenAmount(10_000_000 * 10**18)
"""Of the access token, where we deploy one; as the mission's own."""

_CREATE3_SALT: Final = Hash32(bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to deploy, for whom. Constructor arguments do not change an address."""

    owner: Address
    """First owner of the Resolver."""
    treasury: Address
    """Where swept funds go."""
    token_holder: Address
    """Gets the supply of the access token, if that is deployed."""
    access_token: Address | None = None
    """An existing one; None deploys BmnToken."""
    limit_order_protocol: Address | None = None
    """An existing one; None deploys it, on development chains only."""
    rescue_delays: tuple[Seconds, Seconds] = RESCUE_DELAYS
    """Of source and destination escrows."""
    release: str = "1"
    """Part of every salt: another release has other addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the owner lets the operators of a Resolver do."""

    operators: tuple[Address, ...]
    """Accounts of the signers."""
    limits: Mapping[Address, TokenLimit] = field(default_factory=dict)
    """By token; zero is the native coin, deposits included."""
    min_margin: Seconds
    """Least margin of a destination lock."""


def create3_factory_address() -> Address:
    """Return where our CREATE3 factory is on every chain, deployed by anyone."""
    return create2_address(
        deployer=create3_calls.CREATE2_DEPLOYER,
        salt=_CREATE3_SALT,
        init_code_hash=Hash32(keccak(load_artifact("Create3Factory").bytecode)),
    )


def predict_contracts(deployer: Address, plan: Plan) -> Contracts:
    """Return where everything will be when `deployer` deploys `plan`, on any chain."""

    def at(name: str) -> Address:
        return create3_address(
            create3_factory=create3_factory_address(), deployer=deployer, salt=_salt(name, plan.release)
        )

    factory = at("EscrowFactory")
    src_delay, dst_delay = plan.rescue_delays
    return Contracts(
        factory=factory,
        src_implementation=create_address(factory, 1),
        dst_implementation=create_address(factory, 2),
        limit_order_protocol=plan.limit_order_protocol or at("LimitOrderProtocol"),
        resolver=at("Resolver"),
        access_token=plan.access_token or at("BmnToken"),
        noop_token=at("NoopToken"),
        rescue_delay_src=src_delay,
        rescue_delay_dst=dst_delay,
    )


async def deploy_contracts(sender: OneByOne, plan: Plan) -> Contracts:
    """Deploy what is missing and return where everything is. Run it again after a failure: it goes on.

    That a contract was there already does not say that it is ours or made with these arguments: `check_contracts` does.

    Raises:
        Refused: no CREATE2 deployer on this chain; an order protocol is needed on a real chain; TX_REVERTED.
        ConfigError: LOP_NOT_COMPILED.
        ChainError, TimedOut: as sending.
    """
    chain = sender.chain
    there = predict_contracts(sender.address, plan)
    if plan.limit_order_protocol is None and await chain.chain_id() not in DEV_CHAIN_IDS:
        raise Refused(
            "LOP_NEEDED",
            f"chain {await chain.chain_id()} is a real one, where the order protocol is never deployed by us",
            hint="name the chain's limit order protocol v4",
        )
    await _deploy_create3_factory(sender)
    if plan.limit_order_protocol is None:
        # No wrapped coin here: orders that unwrap would fail, and ours never do.
        code = _order_protocol() + encode_address(ZERO_ADDRESS)
        await _deploy(sender, "LimitOrderProtocol", plan, there.limit_order_protocol, code)
    if plan.access_token is None:
        code = load_artifact("BmnToken").bytecode + encode_address(plan.token_holder) + encode_uint(TOKEN_SUPPLY)
        await _deploy(sender, "BmnToken", plan, there.access_token, code)
    await _deploy(sender, "NoopToken", plan, there.noop_token, load_artifact("NoopToken").bytecode)
    accounts = (there.limit_order_protocol, there.access_token, there.access_token, plan.owner)
    arguments = b"".join(map(encode_address, accounts)) + b"".join(map(encode_uint, plan.rescue_delays))
    await _deploy(sender, "EscrowFactory", plan, there.factory, load_artifact("EscrowFactory").bytecode + arguments)
    accounts = (there.limit_order_protocol, there.factory, plan.owner, plan.treasury)
    arguments = b"".join(map(encode_address, accounts))
    await _deploy(sender, "Resolver", plan, there.resolver, load_artifact("Resolver").bytecode + arguments)
    return there


async def missing_rules(chain: ChainReader, resolver: Address, rules: Rules) -> tuple[bytes, ...]:
    """Return the calls that the owner of `resolver` must still make for `rules` to hold."""
    calls: list[bytes] = []
    for operator in rules.operators:
        answer = await chain.call(resolver, resolver_calls.build_is_operator(operator), BlockTag.HEAD)
        if not resolver_calls.decode_is_operator(answer):
            calls.append(resolver_calls.build_set_operator(operator, allowed=True))
    for token, limit in rules.limits.items():
        answer = await chain.call(resolver, resolver_calls.build_limits(token), BlockTag.HEAD)
        if resolver_calls.decode_limits(answer) != limit:
            calls.append(resolver_calls.build_set_limit(token, limit))
    answer = await chain.call(resolver, resolver_calls.MIN_MARGIN, BlockTag.HEAD)
    if resolver_calls.decode_min_margin(answer) != rules.min_margin:
        calls.append(resolver_calls.build_set_min_margin(rules.min_margin))
    return tuple(calls)


async def set_rules(owner: OneByOne, resolver: Address, rules: Rules) -> None:
    """Make `rules` hold, as owner; sends only what is missing.

    Raises:
        Refused: TX_REVERTED, `NotOwner()` for one.
        ChainError, TimedOut: as sending.
    """
    for call in await missing_rules(owner.chain, resolver, rules):
        await owner.send(resolver, call)


async def transfer_token(sender: OneByOne, token: Address, receiver: Address, amount: TokenAmount) -> None:
    """Send tokens of the sender's own.

    Raises:
        Refused, ChainError, TimedOut: as sending.
    """
    await sender.send(token, token_calls.build_transfer(receiver, amount))


def _salt(name: str, release: str) -> Hash32:
    return Hash32(keccak(f"bmn:{name}:{release}".encode()))


async def _deploy_create3_factory(sender: OneByOne) -> None:
    if await sender.chain.code(create3_factory_address(), BlockTag.HEAD):
        return
    if not await sender.chain.code(create3_calls.CREATE2_DEPLOYER, BlockTag.HEAD):
        raise Refused(
            "NO_CREATE2_DEPLOYER",
            f"this chain has no contract at {create3_calls.CREATE2_DEPLOYER}",
            hint="equal addresses need it: put it there first (its deployment transaction is public and pre-signed)",
        )
    init_code = load_artifact("Create3Factory").bytecode
    await sender.send(create3_calls.CREATE2_DEPLOYER, create3_calls.build_create2(_CREATE3_SALT, init_code))


async def _deploy(sender: OneByOne, name: str, plan: Plan, address: Address, init_code: bytes) -> None:
    if await sender.chain.code(address, BlockTag.HEAD):
        return
    await sender.send(create3_factory_address(), create3_calls.build_deploy(_salt(name, plan.release), init_code))


def _order_protocol() -> bytes:
    """Return the creation code of the limit order protocol, compiled once by contracts/devnet/compile.mjs."""
    for folder in Path(__file__).resolve().parents:
        path = folder / "contracts/devnet/out/LimitOrderProtocol.json"
        if path.is_file():
            return bytes.fromhex(json.loads(path.read_text())["bytecode"].removeprefix("0x"))
    raise ConfigError(
        "LOP_NOT_COMPILED",
        "the limit order protocol is not compiled yet",
        hint="run: cd contracts/devnet && npm ci --ignore-scripts && node compile.mjs",
    )
