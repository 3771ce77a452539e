"""Is what stands on the chain what the settings say, down to the byte? Asked at every start; nothing runs otherwise.

Equal addresses on two chains prove nothing about the code there: each chain is checked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bmn.bindings import escrow_calls, factory_calls, order_protocol_calls, resolver_calls, token_calls
from bmn.bindings.artifacts import load_artifact, matches_artifact
from bmn.contracts.registry import refused_factory
from bmn.core.chain import ChainSpec
from bmn.core.errors import BadInput, ChainError, ConfigError
from bmn.core.escrow_address import clone_init_code_hash, escrow_address
from bmn.core.immutables import Immutables
from bmn.core.timelocks import Timelocks
from bmn.core.units import Address, Hashlock, OrderHash, Seconds, TokenAmount, UnixTime, Wei
from bmn.evm.client import ChainClient, ChainReader
from bmn.evm.failures import CallReverted
from bmn.evm.types import BlockRef, BlockTag


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What our Resolver on one chain must allow us."""

    operators: tuple[Address, ...]
    """Accounts of our signers."""
    per_lock: Mapping[Address, TokenAmount]
    """By token, the most that one order may lock; zero is the native coin, deposits included."""
    least_margin: Seconds | None
    """The smallest margin of our pairs to this chain; None if none leads here."""
    is_source: bool
    """Whether one of our pairs starts here."""


async def check_contracts(chain: ChainClient, spec: ChainSpec, needs: Needs) -> None:
    """Compare the chain with the settings, by a quorum of endpoints at one block.

    Raises:
        ConfigError: FACTORY_REFUSED, before anything is asked; WRONG_CHAIN; CONTRACTS_WRONG with every problem.
        ChainError: no quorum of usable answers.
    """
    check_factory(spec.name, spec.contracts.factory)
    served = await chain.chain_id()
    if served != spec.id:
        raise ConfigError(
            "WRONG_CHAIN",
            f"chains.{spec.name}: the endpoints serve chain {served}, not {spec.id}",
            hint="correct `id` or `rpc`",
        )
    head = await chain.block(BlockTag.HEAD)
    if head is None:
        raise ChainError("RPC_BAD_ANSWER", f"{spec.name}: there is no head")
    questions = [*_questions(spec, needs)]
    codes, answers = await chain.agree(lambda node: _ask(node, spec, questions, head.number))
    problems = [*_code_problems(spec, codes), *_answer_problems(questions, answers)]
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems) if len(problems) > 1 else f" {problems[0]}"
        raise ConfigError(
            "CONTRACTS_WRONG",
            f"chains.{spec.name}:{lines}",
            hint="correct [chains] in bmn.toml, or deploy and set the Resolver's rules: bmn contracts deploy",
        )


def check_factory(name: str, factory: Address) -> None:
    """Refuse a factory that is known not to keep its promises.

    Raises:
        ConfigError: FACTORY_REFUSED.
    """
    entry = refused_factory(factory)
    if entry is not None:
        raise ConfigError(
            "FACTORY_REFUSED",
            f"chains.{name}.contracts.factory: {entry.address} is {entry.name}: {entry.reason}",
            hint="deploy our own: bmn contracts deploy",
        )


_SAMPLE: Final = Immutables(
    order_hash=OrderHash(b"\x11" * 32),
    hashlock=Hashlock(b"\x22" * 32),
    maker=Address(b"\x33" * 20),
    taker=Address(b"\x44" * 20),
    token=Address(b"\x55" * 20),
    amount=TokenAmount(10**18 + 1),
    safety_deposit=Wei(10**15 + 2),
    timelocks=Timelocks(
        src_withdrawal=Seconds(11),
        src_public_withdrawal=Seconds(22),
        src_cancellation=Seconds(33),
        src_public_cancellation=Seconds(44),
        dst_withdrawal=Seconds(5),
        dst_public_withdrawal=Seconds(6),
        dst_cancellation=Seconds(7),
        deployed_at=UnixTime(1_800_000_000),
    ),
)
"""Any escrow: its address as we compute it and as the factory does must be the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    what: str
    to: Address
    data: bytes
    decode: Callable[[bytes], Any]
    is_right: Callable[[Any], bool]
    wanted: str


def _questions(spec: ChainSpec, needs: Needs) -> Iterator[_Question]:
    yield from _factory_questions(spec)
    yield from _resolver_questions(spec, needs)
    contracts = spec.contracts
    yield _same("EIP-712 domain", contracts.limit_order_protocol, order_protocol_calls.EIP712_DOMAIN,
                order_protocol_calls.decode_domain, spec.domain)  # fmt: skip
    if needs.is_source:
        yield _Question(
            what="access tokens held by the Resolver",
            to=contracts.access_token,
            data=token_calls.build_balance_of(contracts.resolver),
            decode=token_calls.decode_amount,
            is_right=lambda held: bool(held >= 1),
            wanted="at least one unit, or orders that do not list us cannot be filled: send it some",
        )


def _factory_questions(spec: ChainSpec) -> Iterator[_Question]:
    contracts = spec.contracts
    sides = (
        (
            "source",
            contracts.src_implementation,
            contracts.rescue_delay_src,
            factory_calls.ESCROW_SRC_IMPLEMENTATION,
            factory_calls.build_address_of_escrow_src,
        ),
        (
            "destination",
            contracts.dst_implementation,
            contracts.rescue_delay_dst,
            factory_calls.ESCROW_DST_IMPLEMENTATION,
            factory_calls.build_address_of_escrow_dst,
        ),
    )
    for side, implementation, delay, getter, build_address_of in sides:
        predicted = escrow_address(factory=contracts.factory, implementation=implementation, immutables=_SAMPLE)
        yield _same(f"{side} implementation", contracts.factory, getter,
                    factory_calls.decode_implementation, implementation)  # fmt: skip
        yield _same(f"address of a sample {side} escrow", contracts.factory, build_address_of(_SAMPLE),
                    factory_calls.decode_escrow_address, predicted)  # fmt: skip
        yield _same(f"{side} implementation's factory", implementation, escrow_calls.FACTORY,
                    escrow_calls.decode_factory, contracts.factory)  # fmt: skip
        yield _same(f"{side} implementation's rescue delay", implementation, escrow_calls.RESCUE_DELAY,
                    escrow_calls.decode_rescue_delay, delay)  # fmt: skip
        yield _same(f"{side} implementation's clone hash", implementation, escrow_calls.PROXY_BYTECODE_HASH,
                    escrow_calls.decode_proxy_bytecode_hash, clone_init_code_hash(implementation))  # fmt: skip


def _resolver_questions(spec: ChainSpec, needs: Needs) -> Iterator[_Question]:
    contracts = spec.contracts
    resolver = contracts.resolver
    account = resolver_calls.decode_account
    yield _same("Resolver's order protocol", resolver, resolver_calls.LOP, account, contracts.limit_order_protocol)
    yield _same("Resolver's factory", resolver, resolver_calls.FACTORY, account, contracts.factory)
    yield _Question(
        what="Resolver's owner",
        to=resolver,
        data=resolver_calls.OWNER,
        decode=account,
        is_right=lambda owner: owner not in needs.operators,
        wanted="none of our signers: a stolen operator key must not change the rules",
    )
    for operator in needs.operators:
        yield _same(f"{operator} is operator", resolver, resolver_calls.build_is_operator(operator),
                    resolver_calls.decode_is_operator, wanted=True)  # fmt: skip
    for token, most in needs.per_lock.items():
        yield _Question(
            what=f"Resolver's limit for {token}",
            to=resolver,
            data=resolver_calls.build_limits(token),
            decode=lambda data: resolver_calls.decode_limits(data).per_lock,
            is_right=lambda limit, most=most: bool(limit >= most),  # type: ignore[misc] # mypy: default in a lambda
            wanted=f"at least {most}, the most of one order",
        )
    least = needs.least_margin
    if least is not None:
        yield _Question(
            what="Resolver's least margin",
            to=resolver,
            data=resolver_calls.MIN_MARGIN,
            decode=resolver_calls.decode_min_margin,
            is_right=lambda margin: bool(margin <= least),
            wanted=f"at most {least} s, the margin of [margins]: otherwise every lock is refused",
        )


def _same(what: str, to: Address, data: bytes, decode: Callable[[bytes], Any], wanted: object) -> _Question:
    return _Question(
        what=what, to=to, data=data, decode=decode, is_right=lambda got: bool(got == wanted), wanted=str(wanted)
    )


_CODES: Final = {
    "factory": "EscrowFactory",
    "src_implementation": "EscrowSrc",
    "dst_implementation": "EscrowDst",
    "resolver": "Resolver",
    "noop_token": "NoopToken",
}


async def _ask(
    node: ChainReader, spec: ChainSpec, questions: Sequence[_Question], at: BlockRef
) -> tuple[tuple[bytes, ...], tuple[bytes | CallReverted, ...]]:
    codes = tuple([await node.code(getattr(spec.contracts, field), at) for field in _CODES])
    return codes, await node.call_many([(question.to, question.data) for question in questions], at)


def _code_problems(spec: ChainSpec, codes: Sequence[bytes]) -> Iterator[str]:
    for (field, name), code in zip(_CODES.items(), codes, strict=True):
        address = getattr(spec.contracts, field)
        if not code:
            yield f"{field} {address}: there is no contract"
        elif not matches_artifact(code, load_artifact(name)):
            yield f"{field} {address}: the code there is not our {name}"


def _answer_problems(questions: Sequence[_Question], answers: Sequence[bytes | CallReverted]) -> Iterator[str]:
    for question, answer in zip(questions, answers, strict=True):
        if isinstance(answer, CallReverted):
            yield f"{question.what}: {question.to} does not answer; is it the contract you think it is?"
            continue
        try:
            got = question.decode(answer)
        except BadInput as error:
            yield f"{question.what}: {question.to}: {error.detail}"
            continue
        if not question.is_right(got):
            yield f"{question.what}: {got}, wanted {question.wanted}"
