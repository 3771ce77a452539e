"""JSON of the vectors -> core types. Vectors are ours to trust, so checksums of addresses are not asked for."""

from collections.abc import Mapping
from typing import Any

from bmn.core.eip712 import Domain
from bmn.core.immutables import DstComplement, Immutables
from bmn.core.order import MakerTraitsWord, Order, Salt
from bmn.core.timelocks import Timelocks, pack_timelocks, unpack_timelocks
from bmn.core.units import (
    NATIVE,
    ZERO_ADDRESS,
    Address,
    ChainId,
    Hashlock,
    OrderHash,
    Seconds,
    TokenAmount,
    UnixTime,
    Wei,
)

_SDK_NATIVE = "0x" + "ee" * 20


def data(text: str | None) -> bytes:
    return bytes.fromhex((text or "0x").removeprefix("0x"))


def address(text: str | None) -> Address:
    if text is None:
        return ZERO_ADDRESS
    return NATIVE if text.lower() == _SDK_NATIVE else Address(data(text))


def amount(text: str | int) -> TokenAmount:
    return TokenAmount(int(text))


def moment(text: str | int) -> UnixTime:
    return UnixTime(int(text))


def offsets(raw: Mapping[str, Any], deployed_at: int = 0) -> Timelocks:
    return Timelocks(
        src_withdrawal=Seconds(int(raw["srcWithdrawal"])),
        src_public_withdrawal=Seconds(int(raw["srcPublicWithdrawal"])),
        src_cancellation=Seconds(int(raw["srcCancellation"])),
        src_public_cancellation=Seconds(int(raw["srcPublicCancellation"])),
        dst_withdrawal=Seconds(int(raw["dstWithdrawal"])),
        dst_public_withdrawal=Seconds(int(raw["dstPublicWithdrawal"])),
        dst_cancellation=Seconds(int(raw["dstCancellation"])),
        deployed_at=UnixTime(deployed_at),
    )


def immutables(raw: Mapping[str, Any]) -> Immutables:
    return Immutables(
        order_hash=OrderHash(data(raw["orderHash"])),
        hashlock=Hashlock(data(raw["hashlock"])),
        maker=address(raw["maker"]),
        taker=address(raw["taker"]),
        token=address(raw["token"]),
        amount=amount(raw["amount"]),
        safety_deposit=Wei(int(raw["safetyDeposit"])),
        timelocks=unpack_timelocks(int(raw["timelocks"])),
    )


def show_immutables(value: Immutables) -> dict[str, object]:
    return {
        "orderHash": value.order_hash,
        "hashlock": value.hashlock,
        "maker": value.maker,
        "taker": value.taker,
        "token": value.token,
        "amount": value.amount,
        "safetyDeposit": value.safety_deposit,
        "timelocks": pack_timelocks(value.timelocks),
    }


def complement(raw: Mapping[str, Any]) -> DstComplement:
    return DstComplement(
        maker=address(raw["maker"]),
        amount=amount(raw["amount"]),
        token=address(raw["token"]),
        safety_deposit=Wei(int(raw["safetyDeposit"])),
        chain_id=ChainId(int(raw.get("chainId", 0))),
    )


def show_complement(value: DstComplement) -> dict[str, object]:
    return {
        "maker": value.maker,
        "amount": value.amount,
        "token": value.token,
        "safetyDeposit": value.safety_deposit,
        "chainId": value.chain_id,
    }


def order(raw: Mapping[str, Any]) -> Order:
    return Order(
        salt=Salt(int(raw["salt"])),
        maker=address(raw["maker"]),
        receiver=address(raw["receiver"]),
        maker_asset=address(raw["makerAsset"]),
        taker_asset=address(raw["takerAsset"]),
        making_amount=amount(raw["makingAmount"]),
        taking_amount=amount(raw["takingAmount"]),
        maker_traits=MakerTraitsWord(int(raw["makerTraits"])),
    )


def show_order(value: Order) -> dict[str, object]:
    return {
        "salt": value.salt,
        "maker": value.maker,
        "receiver": value.receiver,
        "makerAsset": value.maker_asset,
        "takerAsset": value.taker_asset,
        "makingAmount": value.making_amount,
        "takingAmount": value.taking_amount,
        "makerTraits": value.maker_traits,
    }


def domain(raw: Mapping[str, Any]) -> Domain:
    return Domain(
        name=raw["name"],
        version=raw["version"],
        chain_id=ChainId(int(raw["chainId"])),
        verifying_contract=address(raw["verifyingContract"]),
    )
