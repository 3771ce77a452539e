"""Whole swaps on two chains: computed by pure code, and replayed on our bytecode with our Resolver.

The reference's example resolver has other functions than ours, so its calls are taken apart, held against what pure
code computes, and made again through ours. A value it was sent along with a call reaches ours just before the call.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from eth_abi.abi import decode as abi_decode
from tests.vector_runner import deployment, read
from tests.vector_runner.cases import Case, Check, Computed, NotChecked
from tests.vector_runner.deployment import Deployment
from tests.vector_runner.local_chain import LocalChain, open_local_chain

from bmn.bindings import escrow_calls, resolver_calls, token_calls
from bmn.bindings.abi import decode_dynamic, topic
from bmn.bindings.escrow_logs import RawLog
from bmn.core.amounts import taking_for_making
from bmn.core.auction import auction_taking, rate_bump_at
from bmn.core.compact_signature import CompactSignature
from bmn.core.eip712 import order_hash
from bmn.core.escrow_address import escrow_address
from bmn.core.escrow_order import EscrowOrder, FillKind, hashlock_of, paid_to, parse_escrow_order
from bmn.core.immutables import DstComplement, Immutables, decode_immutables, dst_immutables
from bmn.core.merkle import (
    TakerData,
    encode_taker_data,
    hashlock_info,
    merkle_proof,
    secret_index_for,
    secret_leaf,
    unpack_hashlock_info,
)
from bmn.core.order import Order, decode_order
from bmn.core.timelocks import NOT_DEPLOYED, Stage
from bmn.core.traits import TakerArgs, decode_taker_args, unpack_taker_traits
from bmn.core.units import Address, Hash32, Hashlock, OrderHash, Seconds, Secret, TokenAmount, UnixTime, Wei
from bmn.core.words import decode_uint

_APPROVAL = topic("Approval(address,address,uint256)")
_NO_MARGIN = Seconds(0)
_NOT_AFTER = UnixTime(2**40)
_REFERENCE_CALLS = NotChecked("calls of the reference's example resolver; taken apart and made again through ours")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fill:
    """One swap of the order: everything pure code can say about it."""

    making: TokenAmount
    remaining_before: TokenAmount
    secret_index: int
    secret: Secret
    src: Immutables
    complement: DstComplement
    dst: Immutables

    @property
    def src_cancellation(self) -> UnixTime:
        return self.src.timelocks.opens_at(Stage.SRC_CANCELLATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    """A case read into core types."""

    case: Case
    order: Order
    order_hash: OrderHash
    extension: bytes
    terms: EscrowOrder
    secrets: tuple[Secret, ...]
    fills: tuple[_Fill, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One chain of the replay."""

    chain: LocalChain
    contracts: Deployment
    resolver: Address
    maker: Address


@contextmanager
def open_checks() -> Iterator[Mapping[str, Check]]:
    """Start chains as cases name them; every case starts from a fresh deployment."""
    with ExitStack() as stack:
        sides: dict[str, _Side] = {}

        def side_of(case: Case, name: str) -> _Side:
            key = repr((sorted(case.input[name].items()), case.input["source"]["limitOrderProtocol"]))
            if key not in sides:
                sides[key] = _open_side(stack, case, name)
            return sides[key]

        def check(case: Case) -> Computed:
            story = _read(case)
            source, destination = side_of(case, "source"), side_of(case, "destination")
            with source.chain.undone(), destination.chain.undone():
                return _show(story) | _replay(story, source, destination)

        single = ("single-fill", "single-fill-native-destination", "single-fill-auction-bump")
        yield dict.fromkeys(
            (*single, "cancel", "cancel-native-destination", "multi-fill-two", "multi-fill-uneven"), check
        )


def _read(case: Case) -> _Story:
    raw = case.input
    order, extension = read.order(raw["order"]), read.data(raw["extension"])
    terms = parse_escrow_order(order, extension)
    secrets = tuple(Secret(read.data(text)) for text in raw["secrets"])
    digest = order_hash(read.domain(raw["domain"]), order)
    assert terms.post_interaction.extra.hashlock_info == read.data(raw["hashlockInfo"])
    if terms.kind is FillKind.MULTI:
        assert hashlock_info(_leaves(secrets)) == terms.post_interaction.extra.hashlock_info
    else:
        assert hashlock_of(terms) == secrets[0].hashlock
    story = _Story(
        case=case, order=order, order_hash=digest, extension=extension, terms=terms, secrets=secrets, fills=()
    )
    steps = case.expected["transactions"]
    pairs = zip(_steps(steps, "deploySrc"), _steps(steps, "deployDst"), strict=True)
    remaining = order.making_amount
    fills: list[_Fill] = []
    for src_step, dst_step in pairs:
        fills.append(_fill(story, remaining, src_step, dst_step))
        remaining = TokenAmount(remaining - fills[-1].making)
    return replace(story, fills=tuple(fills))


def _steps(steps: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [step for step in steps if step["step"] == name]


def _fill(story: _Story, remaining: TokenAmount, src_step: dict[str, Any], dst_step: dict[str, Any]) -> _Fill:
    terms = story.terms
    extra = terms.post_interaction.extra
    making = TokenAmount(decode_uint(read.data(src_step["input"])[4 + 576 : 4 + 608]))
    index = _secret_index(terms, remaining, making)
    secret = story.secrets[index]
    src = Immutables(
        order_hash=story.order_hash,
        hashlock=secret.hashlock,
        maker=terms.maker,
        taker=read.address(src_step["to"]),
        token=terms.maker_asset,
        amount=making,
        safety_deposit=extra.src_safety_deposit,
        timelocks=extra.timelocks.deployed(read.moment(src_step["blockTimestamp"])),
    )
    complement = DstComplement(
        maker=paid_to(terms),
        amount=_taking(terms, making, read.moment(src_step["blockTimestamp"])),
        token=extra.dst_token,
        safety_deposit=extra.dst_safety_deposit,
        chain_id=extra.dst_chain_id,
    )
    taker, born = read.address(dst_step["to"]), read.moment(dst_step["blockTimestamp"])
    return _Fill(
        making=making,
        remaining_before=remaining,
        secret_index=index,
        secret=secret,
        src=src,
        complement=complement,
        dst=dst_immutables(src, complement, taker=taker, deployed_at=born),
    )


def _secret_index(terms: EscrowOrder, remaining: TokenAmount, making: TokenAmount) -> int:
    if terms.kind is FillKind.SINGLE:
        return 0
    parts = unpack_hashlock_info(terms.post_interaction.extra.hashlock_info).parts
    index = secret_index_for(order_making=terms.making_amount, parts=parts, remaining=remaining, making=making)
    assert index is not None
    return index


def _taking(terms: EscrowOrder, making: TokenAmount, at: UnixTime) -> TokenAmount:
    if terms.auction is None:
        return taking_for_making(order_making=terms.making_amount, order_taking=terms.taking_amount, making=making)
    bump = rate_bump_at(terms.auction, at=at, base_fee=Wei(0))
    return auction_taking(order_making=terms.making_amount, order_taking=terms.taking_amount, making=making, bump=bump)


def _leaves(secrets: tuple[Secret, ...]) -> list[Hash32]:
    return [secret_leaf(index, secret.hashlock) for index, secret in enumerate(secrets)]


def _show(story: _Story) -> dict[str, object]:
    return {"orderHash": story.order_hash, "fills": [_show_fill(story.case, fill) for fill in story.fills]}


def _show_fill(case: Case, fill: _Fill) -> dict[str, object]:
    return {
        "makingAmount": fill.making,
        "remainingBefore": fill.remaining_before,
        "secretIndex": fill.secret_index,
        "secret": fill.secret.reveal(),
        "srcImmutables": read.show_immutables(fill.src),
        "dstComplement": read.show_complement(fill.complement),
        "srcEscrow": _their_escrow(case, fill, "source"),
        "dstImmutables": read.show_immutables(fill.dst),
        "dstEscrow": _their_escrow(case, fill, "destination"),
        "srcCancellationTimestamp": fill.src_cancellation,
    }


def _their_escrow(case: Case, fill: _Fill, side: str) -> Address:
    is_src = side == "source"
    return escrow_address(
        factory=read.address(case.input[side]["factory"]),
        implementation=read.address(case.input[side]["srcImplementation" if is_src else "dstImplementation"]),
        immutables=fill.src if is_src else fill.dst,
    )


def _open_side(stack: ExitStack, case: Case, name: str) -> _Side:
    raw = case.input[name]
    chain = stack.enter_context(open_local_chain(raw["chainId"]))
    contracts = deployment.deploy(
        chain,
        lop=read.address(case.input["source"]["limitOrderProtocol"]),
        factory=read.address(raw["factory"]),
        token=read.address(raw["token"]),
    )
    maker, resolver = read.address(case.input["order"]["maker"]), read.address(raw["resolver"])
    operator = read.address(case.expected["transactions"][0]["from"])
    deployment.deploy_resolver(chain, contracts, resolver, operator)
    lots = TokenAmount(10**24)
    deployment.give(chain, contracts.token, maker, lots)
    chain.must(maker, contracts.token, token_calls.build_approve(contracts.lop, lots))
    return _Side(chain=chain, contracts=contracts, resolver=resolver, maker=maker)


def _replay(story: _Story, source: _Side, destination: _Side) -> dict[str, object]:
    before = [_balances(side) for side in (source, destination)]
    names = _escrow_names(story, source, destination)
    transactions = []
    fill = story.fills[0]
    counts = dict.fromkeys(("deploySrc", "deployDst"), 0)
    for step in story.case.expected["transactions"]:
        side = source if step["chainId"] == source.chain.chain_id else destination
        if step["step"] in counts:
            fill = story.fills[counts[step["step"]]]
            counts[step["step"]] += 1
        calldata = _CALLS[step["step"]](story, fill, read.data(step["input"]))
        transactions.append(_send(side, step, calldata, names))
    changes = [
        {name: now - then for (name, now), then in zip(_balances(side).items(), old.values(), strict=True)}
        for side, old in zip((source, destination), before, strict=True)
    ]
    shown = [{name: change for name, change in each.items() if change} for each in changes]
    return {"transactions": transactions, "balanceChanges": {"source": shown[0], "destination": shown[1]}}


def _send(side: _Side, step: dict[str, Any], calldata: bytes, names: dict[Address, Address]) -> dict[str, object]:
    sender, at = read.address(step["from"]), read.moment(step["blockTimestamp"])
    assert read.address(step["to"]) == side.resolver
    if value := int(step["value"]):
        side.chain.must(sender, side.resolver, value=value, at=UnixTime(at - 1))
    outcome = side.chain.send(sender, side.resolver, calldata, at=at)
    kept = [log for log in outcome.logs if log.address != side.resolver and log.topics[0] != _APPROVAL]
    return {
        "step": step["step"],
        "chainId": side.chain.chain_id,
        "from": sender,
        "to": side.resolver,
        "value": value,
        "input": _REFERENCE_CALLS,
        "status": outcome.ok,
        "blockTimestamp": side.chain.now(),
        "logs": [_show_log(index, log, names) for index, log in enumerate(kept)],
    }


def _show_log(index: int, log: RawLog, names: dict[Address, Address]) -> dict[str, object]:
    return {
        "address": names.get(log.address, log.address),
        "topics": [_renamed(word, names) for word in log.topics],
        "data": _renamed(log.data, names),
        "logIndex": index,
    }


def _renamed(data: bytes, names: dict[Address, Address]) -> bytes:
    for ours, theirs in names.items():
        data = data.replace(ours, theirs)
    return data


def _escrow_names(story: _Story, source: _Side, destination: _Side) -> dict[Address, Address]:
    """Our escrows -> the reference's."""
    names: dict[Address, Address] = {}
    for fill in story.fills:
        ours_src = escrow_address(
            factory=source.contracts.factory,
            implementation=source.contracts.src_implementation,
            immutables=fill.src,
        )
        ours_dst = escrow_address(
            factory=destination.contracts.factory,
            implementation=destination.contracts.dst_implementation,
            immutables=fill.dst,
        )
        names[ours_src] = _their_escrow(story.case, fill, "source")
        names[ours_dst] = _their_escrow(story.case, fill, "destination")
    return names


def _balances(side: _Side) -> dict[str, int]:
    token = side.contracts.token
    return {
        "maker": deployment.token_balance(side.chain, token, side.maker),
        "resolver": deployment.token_balance(side.chain, token, side.resolver),
        "makerNative": side.chain.balance(side.maker),
        "resolverNative": side.chain.balance(side.resolver),
    }


def _deploy_src(story: _Story, fill: _Fill, theirs: bytes) -> bytes:
    body = theirs[4:]
    signature = story.case.input["signature"]
    assert _unborn(decode_immutables(body[:256])) == _unborn(fill.src)
    assert decode_order(body[256:512]) == story.order
    assert body[512:576] == read.data(signature["r"]) + read.data(signature["vs"])
    traits = unpack_taker_traits(decode_uint(body[608:640]))
    args = decode_dynamic(body, 20)
    assert decode_taker_args(traits, args) == _taker_args(story, fill)
    return resolver_calls.build_deploy_src(
        immutables=_unborn(fill.src),
        order=story.order,
        signature=CompactSignature(r=Hash32(body[512:544]), vs=Hash32(body[544:576])),
        amount=fill.making,
        taker_traits=decode_uint(body[608:640]),
        args=args,
        not_after=_NOT_AFTER,
    )


def _taker_args(story: _Story, fill: _Fill) -> TakerArgs:
    if story.terms.kind is FillKind.SINGLE:
        return TakerArgs(extension=story.extension)
    leaves = _leaves(story.secrets)
    data = TakerData(
        proof=merkle_proof(leaves, leaves[fill.secret_index]),
        index=fill.secret_index,
        hashlock=Hashlock(fill.secret.hashlock),
    )
    factory = story.terms.post_interaction.factory
    return TakerArgs(extension=story.extension, interaction=factory + encode_taker_data(data))


def _deploy_dst(_story: _Story, fill: _Fill, theirs: bytes) -> bytes:
    assert _unborn(decode_immutables(theirs[4:260])) == _unborn(fill.dst)
    assert decode_uint(theirs[260:]) == fill.src_cancellation
    return resolver_calls.build_deploy_dst(
        immutables=_unborn(fill.dst),
        src_cancellation=fill.src_cancellation,
        margin=_NO_MARGIN,
        not_after=_NOT_AFTER,
    )


def _withdraw_dst(story: _Story, fill: _Fill, theirs: bytes) -> bytes:
    assert _inner(theirs) == (
        _their_escrow(story.case, fill, "destination"),
        escrow_calls.build_withdraw(fill.secret, fill.dst),
    )
    return resolver_calls.build_withdraw_dst(fill.secret, fill.dst)


def _withdraw_src(story: _Story, fill: _Fill, theirs: bytes) -> bytes:
    assert _inner(theirs) == (
        _their_escrow(story.case, fill, "source"),
        escrow_calls.build_withdraw(fill.secret, fill.src),
    )
    return resolver_calls.build_withdraw_src(fill.secret, fill.src)


def _cancel_dst(story: _Story, fill: _Fill, theirs: bytes) -> bytes:
    assert _inner(theirs) == (_their_escrow(story.case, fill, "destination"), escrow_calls.build_cancel(fill.dst))
    return resolver_calls.build_cancel_dst(fill.dst)


def _cancel_src(story: _Story, fill: _Fill, theirs: bytes) -> bytes:
    assert _inner(theirs) == (_their_escrow(story.case, fill, "source"), escrow_calls.build_cancel(fill.src))
    return resolver_calls.build_cancel_src(fill.src)


def _inner(theirs: bytes) -> tuple[Address, bytes]:
    """Take the one call out of `arbitraryCalls(address[],bytes[])`."""
    (target,), (calldata,) = abi_decode(["address[]", "bytes[]"], theirs[4:])
    return Address(read.data(target)), calldata


def _unborn(immutables: Immutables) -> Immutables:
    """Both resolvers leave the time of birth to the chain."""
    return replace(immutables, timelocks=immutables.timelocks.deployed(NOT_DEPLOYED))


_CALLS: dict[str, Callable[[_Story, _Fill, bytes], bytes]] = {
    "deploySrc": _deploy_src,
    "deployDst": _deploy_dst,
    "dst.withdraw": _withdraw_dst,
    "src.withdraw": _withdraw_src,
    "dst.cancel": _cancel_dst,
    "src.cancel": _cancel_src,
}
