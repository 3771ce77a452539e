"""Releases of BMN's contracts: what they log, how they pack times and hash, and what they do not check."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.support.swap_values import IMMUTABLES
from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed, NotChecked
from tests.vector_runner.immutables_v12 import fee_immutables, show_fee_complement, show_fee_immutables

from bmn.bindings.codec import encode
from bmn.bindings.escrow_logs import DstEscrowCreated, RawLog, SrcEscrowCreated
from bmn.bindings.fee_immutables import (
    FeeComplement,
    FeeImmutables,
    Fees,
    encode_fee_event,
    encode_fees,
    fee_escrow_address,
    hash_fee_immutables,
)
from bmn.bindings.simplified_orders import (
    SimplifiedTerms,
    decode_simplified_terms,
    public_action_digest,
    simplified_timelocks,
)
from bmn.bindings.variant_logs import (
    DirectSrcEscrowCreated,
    FeeSrcEscrowCreated,
    NamedSrcEscrowCreated,
    PostInteractionEscrowCreated,
    decode_variant_log,
)
from bmn.bindings.variants import (
    RULES,
    DstEscrow,
    Reverts,
    Variant,
    evaluate_dst_cancellation,
    evaluate_dst_creation,
    evaluate_dst_withdrawal,
    evaluate_trust,
)
from bmn.core.escrow_address import create3_address, create3_proxy, create_address, escrow_address
from bmn.core.hashing import keccak
from bmn.core.immutables import Immutables, hash_immutables
from bmn.core.timelocks import Stage
from bmn.core.units import ZERO_ADDRESS, Address, Hash32, OrderHash, Seconds, TokenAmount, UnixTime, Wei
from bmn.evm.devkeys import DEV_ADDRESSES

_NO_FEES = Fees(
    resolver_fee=TokenAmount(0),
    integrator_fee=TokenAmount(0),
    resolver_recipient=ZERO_ADDRESS,
    integrator_recipient=ZERO_ADDRESS,
)
_DEPLOYER = DEV_ADDRESSES[0]
_CREATE3_FACTORY = create_address(_DEPLOYER, 4)
"""Where the reference put its CREATE3 factory."""
_SOME_TIME = UnixTime(1_796_668_000)


def _variant(case: Case) -> Variant:
    return Variant(case.input["variant"])


def _log(raw: Mapping[str, Any]) -> RawLog:
    return RawLog(
        address=read.address(raw["address"]), topics=tuple(map(read.data, raw["topics"])), data=read.data(raw["data"])
    )


def _event_log(case: Case) -> Computed:
    log, variant = _log(case.input["log"]), _variant(case)
    event = decode_variant_log(variant, log)
    assert type(event).__name__.endswith(case.input["event"]), event
    match event:
        case DstEscrowCreated():
            shown = {"escrow": event.escrow, "hashlock": event.hashlock, "taker": event.taker}
            return shown | _dst_hash(case, variant, event.escrow)
        case SrcEscrowCreated():
            return _show_created(event)
        case NamedSrcEscrowCreated():
            derived = escrow_address(
                factory=read.address(case.input["factory"]),
                implementation=read.address(case.input["srcImplementation"]),
                immutables=event.created.immutables,
            )
            assert derived == event.escrow
            return {"escrow": event.escrow, **_show_created(event.created)}
        case DirectSrcEscrowCreated():
            return {
                "escrow": event.escrow,
                "orderHash": event.order_hash,
                "maker": event.maker,
                "taker": event.taker,
                "amount": event.amount,
            }
        case FeeSrcEscrowCreated():
            escrow = fee_escrow_address(
                variant,
                factory=log.address,
                implementation=create_address(log.address, 1),
                immutables=event.immutables,
            )
            return {
                "immutables": show_fee_immutables(event.immutables),
                "complement": show_fee_complement(event.complement) | {"parameters": event.complement.parameters},
                "escrow": escrow,
            }
        case _:
            raise AssertionError(event)


def _show_created(event: SrcEscrowCreated) -> dict[str, object]:
    return {
        "immutables": read.show_immutables(event.immutables),
        "complement": read.show_complement(event.complement),
    }


def _dst_hash(case: Case, variant: Variant, escrow: Address) -> dict[str, object]:
    """The hash of the immutables the case names, and that the event's escrow follows from them."""
    raw = case.input.get("immutables")
    if raw is None:
        return {}
    factory, implementation = read.address(case.input["factory"]), read.address(case.input["dstImplementation"])
    if "parameters" in raw:
        wide = fee_immutables(raw, read.data(raw["parameters"]))
        derived = fee_escrow_address(variant, factory=factory, implementation=implementation, immutables=wide)
        digest = hash_fee_immutables(variant, wide)
    else:
        narrow = read.immutables(raw)
        derived = escrow_address(factory=factory, implementation=implementation, immutables=narrow)
        digest = hash_immutables(narrow)
    assert derived == escrow
    return {"immutablesHash": digest}


def _post_interaction(case: Case) -> Computed:
    """Times, deposits, hash, address and logs. The order hash, the factory and its caller are no input of the case."""
    raw, variant = case.input, _variant(case)
    assert raw["callerIsLimitOrderProtocol"] or not RULES[variant].guards_post_interaction
    terms = decode_simplified_terms(read.data(raw["extraData"]))
    assert _shown_terms(terms) == {name: raw[name] for name in _shown_terms(terms)}
    order = raw["order"]
    immutables = Immutables(
        order_hash=OrderHash(read.data(case.expected["immutables"]["orderHash"])),
        hashlock=terms.hashlock,
        maker=read.address(order["maker"]),
        taker=read.address(raw["taker"]),
        token=read.address(order["makerAsset"]),
        amount=read.amount(order["makingAmount"]),
        safety_deposit=terms.src_safety_deposit,
        timelocks=simplified_timelocks(variant, terms, read.moment(raw["blockTimestamp"])),
    )
    told = _log(case.expected["logs"][-1])
    factory, implementation = told.address, create_address(told.address, 1)
    logs: list[dict[str, object]] = []
    if variant is Variant.BMN_V4_0:
        wide = fee_immutables(case.expected["immutables"], b"")
        wide = replace(wide, **{name: getattr(immutables, name) for name in Immutables.__slots__})
        escrow = fee_escrow_address(variant, factory=factory, implementation=implementation, immutables=wide)
        logs.append(_fee_created_log(case, factory, wide, terms))
        shown = show_fee_immutables(wide)
    else:
        escrow = escrow_address(factory=factory, implementation=implementation, immutables=immutables)
        shown = read.show_immutables(immutables)
    event = decode_variant_log(variant, told)
    assert isinstance(event, PostInteractionEscrowCreated)
    topics = (told.topics[0], *(encode("(address)", [each]) for each in (escrow, event.protocol)))
    data = encode("(address,uint256)", [immutables.taker, immutables.amount])
    logs.append(_shown_log(factory, (topics[0], topics[1], immutables.hashlock, topics[2]), data))
    return {"immutables": shown, "escrow": escrow, "logs": logs}


def _shown_terms(terms: SimplifiedTerms) -> dict[str, str]:
    return {
        "hashlock": str(terms.hashlock),
        "dstWithdrawalTimestamp": str(terms.dst_withdrawal_at),
        "srcCancellationTimestamp": str(terms.src_cancellation_at),
        "depositsWord": str(terms.dst_safety_deposit << 128 | terms.src_safety_deposit),
    }


def _fee_created_log(
    case: Case, factory: Address, immutables: FeeImmutables, terms: SimplifiedTerms
) -> dict[str, object]:
    order = case.input["order"]
    receiver = read.address(order["receiver"])
    complement = FeeComplement(
        maker=read.address(order["maker"]) if receiver == ZERO_ADDRESS else receiver,
        amount=read.amount(order["takingAmount"]),
        token=terms.dst_token,
        safety_deposit=terms.dst_safety_deposit,
        chain_id=terms.dst_chain_id,
        parameters=encode_fees(_NO_FEES),
    )
    told = _log(case.expected["logs"][0])
    assert decode_variant_log(_variant(case), told) == FeeSrcEscrowCreated(immutables=immutables, complement=complement)
    return _shown_log(factory, told.topics, encode_fee_event(immutables, complement))


def _shown_log(address: Address, topics: Sequence[bytes], data: bytes) -> dict[str, object]:
    return {"address": address, "topics": list(topics), "data": data}


def _factory_immutable_bug(case: Case) -> Computed:
    """Implementations trust the CREATE3 proxy that ran their constructor, not the factory that clones them."""
    name = case.input["variant"]

    def at(salt: str) -> dict[str, Any]:
        return {
            "create3_factory": _CREATE3_FACTORY,
            "deployer": _DEPLOYER,
            "salt": Hash32(keccak((name + salt).encode())),
        }

    factory, trusted = create3_address(**at("fac")), create3_proxy(**at("dst"))
    refusal = evaluate_trust(
        factory=factory, trusted=trusted, implementation=create3_address(**at("dst")), immutables=IMMUTABLES
    )
    result = _result(refusal)
    return {
        "factoryReadFromImplementation": trusted,
        "escrowFactory": factory,
        "create3Factory": _CREATE3_FACTORY,
        "create3ProxyOfImplementation": trusted,
        "implementationFactoryIsCreate3Proxy": trusted != factory,
        "withdraw": result,
        "cancel": result,
        "rescueFunds": result,
    }


def _dst(cancellation: int, deployed_at: UnixTime = _SOME_TIME) -> Immutables:
    """A destination escrow with that offset of its cancellation."""
    timelocks = replace(
        IMMUTABLES.timelocks,
        dst_withdrawal=Seconds(10),
        dst_public_withdrawal=Seconds(100),
        dst_cancellation=Seconds(cancellation),
    )
    return replace(IMMUTABLES, timelocks=timelocks.deployed(deployed_at))


def _result(outcome: DstEscrow | Reverts | None) -> str:
    return outcome.error if isinstance(outcome, Reverts) else "ok"


def _tolerance(case: Case) -> Computed:
    offset = int(case.input["dstCancellationOffset"])
    immutables = _dst(offset)
    before = int(case.input["srcCancellationMinusDstCancellation"])
    outcome = evaluate_dst_creation(
        RULES[_variant(case)],
        immutables,
        value=immutables.safety_deposit,
        src_cancellation=UnixTime(_SOME_TIME + offset + before),
        now=_SOME_TIME,
    )
    return {"result": _result(outcome)}


def _deposit(case: Case) -> Computed:
    immutables = replace(_dst(200), safety_deposit=Wei(int(case.input["safetyDeposit"])))
    escrow = evaluate_dst_creation(
        RULES[_variant(case)],
        immutables,
        value=Wei(int(case.input["value"])),
        src_cancellation=immutables.timelocks.opens_at(Stage.DST_CANCELLATION),
        now=_SOME_TIME,
    )
    if isinstance(escrow, Reverts):
        return {"createSucceeded": False, "error": escrow.error}
    return {"createSucceeded": True, "withdraw": _result(evaluate_dst_withdrawal(escrow))}


def _deployed_at(case: Case) -> Computed:
    immutables = _dst(200, read.moment(case.input["deployedAtInImmutables"]))
    now = read.moment(case.input["blockTimestamp"])
    escrow = evaluate_dst_creation(
        RULES[_variant(case)],
        immutables,
        value=immutables.safety_deposit,
        src_cancellation=UnixTime(now + 200),
        now=now,
    )
    assert isinstance(escrow, DstEscrow), escrow
    return {"cancelImmediatelyAfterCreation": _result(evaluate_dst_cancellation(escrow, now))}


def _open_post_interaction(case: Case) -> Computed:
    is_open = not RULES[_variant(case)].guards_post_interaction
    if not is_open:
        return {"directCallSucceeded": False}
    return {
        "directCallSucceeded": True,
        "attackerGainedAfterPublicCancel": NotChecked("the amount the attacker chose is no input of the case"),
        "publicCancelStatus": NotChecked("follows from the attacker being the escrow's maker"),
    }


def _digest(case: Case) -> Computed:
    return {
        "digest": public_action_digest(
            read.domain(case.input["domain"]),
            order_hash=OrderHash(read.data(case.input["orderHash"])),
            caller=read.address(case.input["caller"]),
            action=case.input["action"],
        )
    }


def _v4_hash(case: Case) -> Computed:
    raw = case.input["immutables"]
    return {"hash": hash_fee_immutables(_variant(case), fee_immutables(raw, read.data(raw["parameters"])))}


CHECKS = {
    "bmn-v4-immutables-hash": _v4_hash,
    "deployedAt-not-enforced": _deployed_at,
    "deposit-not-enforced": _deposit,
    "event-log": _event_log,
    "factory-immutable-bug": _factory_immutable_bug,
    "open-post-interaction": _open_post_interaction,
    "post-interaction": _post_interaction,
    "public-action-digest": _digest,
    "timestamp-tolerance": _tolerance,
}
