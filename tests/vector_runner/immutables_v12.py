"""1inch v1.2: immutables of nine fields, their fees, their event."""

from collections.abc import Mapping
from typing import Any

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.bindings.escrow_logs import RawLog
from bmn.bindings.fee_immutables import (
    FeeComplement,
    FeeImmutables,
    Fees,
    decode_fee_immutables,
    decode_fees,
    dst_fee_immutables,
    encode_fee_event,
    encode_fee_immutables,
    encode_fees,
    fee_escrow_address,
    hash_fee_immutables,
)
from bmn.bindings.variant_logs import FeeSrcEscrowCreated, decode_variant_log
from bmn.bindings.variants import Variant
from bmn.core.timelocks import pack_timelocks
from bmn.core.units import ZERO_ADDRESS, TokenAmount

_V12 = Variant.ONE_INCH_V1_2


def fee_immutables(raw: Mapping[str, Any], parameters: bytes) -> FeeImmutables:
    eight = read.immutables(raw)
    return FeeImmutables(
        order_hash=eight.order_hash,
        hashlock=eight.hashlock,
        maker=eight.maker,
        taker=eight.taker,
        token=eight.token,
        amount=eight.amount,
        safety_deposit=eight.safety_deposit,
        timelocks=eight.timelocks,
        parameters=parameters,
    )


def show_fee_immutables(value: FeeImmutables) -> dict[str, object]:
    return {
        "orderHash": value.order_hash,
        "hashlock": value.hashlock,
        "maker": value.maker,
        "taker": value.taker,
        "token": value.token,
        "amount": value.amount,
        "safetyDeposit": value.safety_deposit,
        "timelocks": pack_timelocks(value.timelocks),
        "parameters": value.parameters,
    }


def show_fee_complement(value: FeeComplement) -> dict[str, object]:
    return {
        "maker": value.maker,
        "amount": value.amount,
        "token": value.token,
        "safetyDeposit": value.safety_deposit,
        "chainId": value.chain_id,
    }


def _fees(raw: Mapping[str, Any] | None) -> Fees | None:
    if raw is None:
        return None
    return Fees(
        resolver_fee=TokenAmount(int(raw["resolverFeeAmount"])),
        integrator_fee=TokenAmount(int(raw["integratorFeeAmount"])),
        resolver_recipient=read.address(raw["resolverFeeRecipient"]),
        integrator_recipient=read.address(raw["integratorFeeRecipient"]),
    )


def _show_fees(fees: Fees | None) -> dict[str, object] | None:
    if fees is None:
        return None
    return {
        "resolverFeeAmount": fees.resolver_fee,
        "integratorFeeAmount": fees.integrator_fee,
        "resolverFeeRecipient": fees.resolver_recipient,
        "integratorFeeRecipient": fees.integrator_recipient,
    }


def _encode(case: Case) -> Computed:
    fees = _fees(case.input["fees"])
    immutables = fee_immutables(case.input["immutables"], encode_fees(fees))
    encoded = encode_fee_immutables(immutables)
    assert decode_fee_immutables(encoded) == immutables
    assert decode_fees(immutables.parameters) == fees
    return {
        "parameters": immutables.parameters,
        "hash": hash_fee_immutables(_V12, immutables),
        "abiEncoded": encoded,
        "escrow": fee_escrow_address(
            _V12,
            factory=read.address(case.input["factory"]),
            implementation=read.address(case.input["implementation"]),
            immutables=immutables,
        ),
    }


def _event(case: Case) -> Computed:
    raw = case.input
    log = RawLog(address=ZERO_ADDRESS, topics=(read.data(raw["topic0"]),), data=read.data(raw["data"]))
    event = decode_variant_log(_V12, log)
    assert isinstance(event, FeeSrcEscrowCreated), event
    src, complement = event.immutables, event.complement
    assert encode_fee_event(src, complement) == log.data
    dst = dst_fee_immutables(
        src, complement, taker=read.address(raw["dstTaker"]), deployed_at=read.moment(raw["dstBlockTime"])
    )
    return {
        "srcImmutables": show_fee_immutables(src),
        "srcHash": hash_fee_immutables(_V12, src),
        "complement": {**show_fee_complement(complement), "fees": _show_fees(decode_fees(complement.parameters))},
        "dstImmutables": show_fee_immutables(dst),
        "dstHash": hash_fee_immutables(_V12, dst),
        "dstEscrow": fee_escrow_address(
            _V12,
            factory=read.address(raw["dstFactory"]),
            implementation=read.address(raw["dstImplementation"]),
            immutables=dst,
        ),
    }


CHECKS = {
    "event-SrcEscrowCreated": _event,
    "empty-parameters": _encode,
    "with-fees": _encode,
    "zero-fees": _encode,
}
