"""createDstEscrow and fills through the limit order protocol, valid and not, on our bytecode."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.vector_runner import deployment, read
from tests.vector_runner.cases import Case, Check, Computed
from tests.vector_runner.deployment import HOLDER, MAKER, OUTSIDER, RESOLVER, Deployment
from tests.vector_runner.local_chain import LocalChain, Reverted, open_local_chain

from bmn.bindings import factory_calls, order_protocol_calls, token_calls
from bmn.bindings.abi import decode_revert
from bmn.core.compact_signature import CompactSignature
from bmn.core.eip712 import order_hash
from bmn.core.errors import BadInput
from bmn.core.escrow_address import create_address, escrow_address
from bmn.core.escrow_order import EscrowOrder, hashlock_of, parse_escrow_order
from bmn.core.immutables import Immutables
from bmn.core.traits import decode_taker_args, encode_taker_args, unpack_taker_traits
from bmn.core.units import Address, Hash32, TokenAmount, UnixTime

_CHAIN_ID = 8453
_LOTS = TokenAmount(10**24)
_CALLERS = {"maker": MAKER, "resolver": RESOLVER, "holder": HOLDER, "outsider": OUTSIDER}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fill:
    """A fill as a case describes it, with the escrow's address in our deployment."""

    calldata: bytes
    escrow: Address


@contextmanager
def open_checks() -> Iterator[Mapping[str, Check]]:
    """Deploy once; every case starts from there."""
    with open_local_chain(_CHAIN_ID) as chain:
        contracts = deployment.deploy(chain)
        deployment.give(chain, contracts.token, MAKER, _LOTS)
        chain.must(MAKER, contracts.token, token_calls.build_approve(contracts.lop, _LOTS))

        def on_chain(replay: Callable[[LocalChain, Deployment, Case], Computed]) -> Check:
            def check(case: Case) -> Computed:
                with chain.undone():
                    return replay(chain, contracts, case)

            return check

        yield {"createDstEscrow": on_chain(_create), "fillOrderArgs": on_chain(_fill)}


def _create(chain: LocalChain, contracts: Deployment, case: Case) -> Computed:
    raw = case.input
    caller = _CALLERS[raw["caller"]]
    if raw.get("callerHasTokensAndApproval", True):
        deployment.give(chain, contracts.token, caller, _LOTS)
        chain.must(caller, contracts.token, token_calls.build_approve(contracts.factory, _LOTS))
    immutables = read.immutables(raw["immutables"])
    calldata = factory_calls.build_create_dst_escrow(immutables, read.moment(raw["srcCancellationTimestamp"]))
    at, value = read.moment(raw["blockTimestamp"]), int(raw["value"])
    if raw["variation"] == "duplicate-in-same-timestamp":
        chain.must(caller, contracts.factory, calldata, value=value, at=at)
    try:
        chain.simulate(caller, contracts.factory, calldata, value=value, at=at)
    except Reverted as reverted:
        return _refused(reverted)
    assert chain.send(caller, contracts.factory, calldata, value=value, at=at).ok
    born = replace(immutables, timelocks=immutables.timelocks.deployed(at))
    escrow = escrow_address(factory=contracts.factory, implementation=contracts.dst_implementation, immutables=born)
    assert chain.balance(escrow) == value, "the escrow is not where our own derivation puts it"
    return {"ok": True}


def _fill(chain: LocalChain, contracts: Deployment, case: Case) -> Computed:
    raw = case.input
    caller, at = _CALLERS[raw["caller"]], read.moment(raw["blockTimestamp"])
    fill = _as_ours(contracts, case)
    if raw["predepositedNative"] != "0":
        chain.must(caller, fill.escrow, value=int(raw["predepositedNative"]))
    try:
        answer = chain.simulate(caller, contracts.lop, fill.calldata, at=at)
    except Reverted as reverted:
        return _refused(reverted)
    assert chain.send(caller, contracts.lop, fill.calldata, at=at).ok
    moved = order_protocol_calls.decode_fill(answer)
    assert deployment.token_balance(chain, contracts.token, fill.escrow) == moved.making
    assert moved.order_hash == order_hash(read.domain(raw["domain"]), read.order(raw["order"]))
    return {
        "ok": True,
        "makingAmount": moved.making,
        "takingAmount": moved.taking,
        "orderHash": moved.order_hash,
    }


def _as_ours(contracts: Deployment, case: Case) -> _Fill:
    """Put our escrow's address where the case has the one of the reference's bytecode."""
    raw = case.input
    order, domain = read.order(raw["order"]), read.domain(raw["domain"])
    assert domain.verifying_contract == contracts.lop
    traits = unpack_taker_traits(int(raw["takerTraits"]))
    args = decode_taker_args(traits, read.data(raw["args"]))
    theirs = read.address(raw["predictedEscrow"])
    ours = theirs
    if (terms := _terms(case)) is not None:
        immutables = _planned(case, terms)
        ours = escrow_address(
            factory=contracts.factory, implementation=contracts.src_implementation, immutables=immutables
        )
    calldata = order_protocol_calls.build_fill_order_args(
        order,
        CompactSignature(r=Hash32(read.data(raw["signature"]["r"])), vs=Hash32(read.data(raw["signature"]["vs"]))),
        read.amount(raw["amount"]),
        int(raw["takerTraits"]),
        encode_taker_args(replace(args, target=ours) if args.target == theirs else args),
    )
    return _Fill(calldata=calldata, escrow=ours)


def _terms(case: Case) -> EscrowOrder | None:
    """None when the case's extension is not the signed one: then no fill gets as far as an escrow."""
    try:
        return parse_escrow_order(read.order(case.input["order"]), read.data(case.input["extension"]))
    except BadInput:
        return None


def _planned(case: Case, terms: EscrowOrder) -> Immutables:
    """Return the immutables whose address the case predicts: their second is near the block's.

    This also holds our derivation of source immutables against the reference's address.
    """
    raw = case.input
    extra = terms.post_interaction.extra
    implementation = create_address(terms.post_interaction.factory, 2)
    order = read.order(raw["order"])
    for early in range(10):
        immutables = Immutables(
            order_hash=order_hash(read.domain(raw["domain"]), order),
            hashlock=hashlock_of(terms),
            maker=terms.maker,
            taker=_CALLERS[raw["caller"]],
            token=terms.maker_asset,
            amount=read.amount(raw["amount"]),
            safety_deposit=extra.src_safety_deposit,
            timelocks=extra.timelocks.deployed(UnixTime(int(raw["blockTimestamp"]) - early)),
        )
        factory = terms.post_interaction.factory
        predicted = escrow_address(factory=factory, implementation=implementation, immutables=immutables)
        if predicted == read.address(raw["predictedEscrow"]):
            return immutables
    raise AssertionError("no second near the block's leads to the predicted escrow")


def _refused(reverted: Reverted) -> Computed:
    return {"ok": False, "error": decode_revert(reverted.data), "revertData": reverted.data}
