"""JSON of nodes to our types and back. Quantities are 0x-hex without leading zeros, bytes 0x-hex of full length.

Source: the execution-apis specification of Ethereum (https://github.com/ethereum/execution-apis).
"""

from itertools import pairwise
from typing import TypeVar

import msgspec

from bmn.core.errors import BadInput
from bmn.core.units import Address, BlockHash, BlockNumber, FixedBytes, Gas, Hash32, Nonce, TxHash, UnixTime, Wei
from bmn.evm.rpc import Answer
from bmn.evm.types import BlockRef, BlockTag, Head, Log, Receipt, TransactionView, TxStatus

EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
"""Root of an empty trie: a block without transactions has it as its transactions root."""


class WireHead(msgspec.Struct, gc=False, rename="camel"):
    """A header, from eth_getBlockBy… or newHeads."""

    hash: str
    parent_hash: str
    number: str
    timestamp: str
    logs_bloom: str
    transactions_root: str = ""
    base_fee_per_gas: str | None = None


class WireLog(msgspec.Struct, gc=False, rename="camel"):
    """A log, from eth_getLogs or a receipt."""

    address: str
    topics: list[str]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
    transaction_index: str
    log_index: str
    removed: bool = False


class WireReceipt(msgspec.Struct, rename="camel"):
    """A receipt."""

    transaction_hash: str
    status: str
    block_hash: str
    block_number: str
    gas_used: str
    logs: list[WireLog]
    effective_gas_price: str = "0x0"
    contract_address: str | None = None
    l1_fee: str | None = None


class WireTransaction(
    msgspec.Struct, rename={"sender": "from", "block_hash": "blockHash", "block_number": "blockNumber"}
):
    """A transaction, mined or waiting."""

    hash: str
    sender: str
    nonce: str
    value: str
    input: str
    to: str | None = None
    block_hash: str | None = None
    block_number: str | None = None


_F = TypeVar("_F", bound=FixedBytes)


def quantity(number: int) -> str:
    """Return 0x-hex without leading zeros."""
    return hex(number)


def hex_data(data: bytes) -> str:
    """Return 0x-hex of full length."""
    return "0x" + data.hex()


def block_param(ref: BlockRef) -> object:
    """Return the block parameter of a state read. Source: EIP-1898."""
    if isinstance(ref, BlockTag):
        return ref.value
    if isinstance(ref, BlockHash):
        return {"blockHash": hex_data(ref), "requireCanonical": True}
    return quantity(ref)


def parse_quantity(text: str) -> int:
    """Read a quantity.

    Raises:
        BadInput: it is none.
    """
    try:
        if not text.startswith("0x"):
            raise ValueError
        return int(text, 16)
    except ValueError as error:
        raise BadInput("BAD_ANSWER", f"not a quantity: {text[:40]!r}") from error


def parse_data(text: str) -> bytes:
    """Read bytes of any length.

    Raises:
        BadInput: it is none.
    """
    try:
        if not text.startswith("0x"):
            raise ValueError
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise BadInput("BAD_ANSWER", f"not 0x-hex: {text[:40]!r}") from error


def parse_fixed(kind: type[_F], text: str) -> _F:
    """Read bytes of one length; an address may have any case.

    Raises:
        BadInput: it is none.
    """
    return kind(parse_data(text))


def parse_head(wire: WireHead) -> Head:
    """Convert a header.

    Raises:
        BadInput: it is none.
    """
    bloom = parse_data(wire.logs_bloom)
    if len(bloom) != 256:
        raise BadInput("BAD_ANSWER", f"a bloom of {len(bloom)} bytes would hide logs")
    return Head(
        number=BlockNumber(parse_quantity(wire.number)),
        hash=parse_fixed(BlockHash, wire.hash),
        parent_hash=parse_fixed(BlockHash, wire.parent_hash),
        timestamp=UnixTime(parse_quantity(wire.timestamp)),
        base_fee=Wei(parse_quantity(wire.base_fee_per_gas or "0x0")),
        logs_bloom=bloom,
        is_empty=wire.transactions_root == EMPTY_ROOT,
    )


def parse_log(wire: WireLog) -> Log:
    """Convert a log.

    Raises:
        BadInput: it is none, or marked as removed, which no query may answer.
    """
    if wire.removed:
        raise BadInput("BAD_ANSWER", "a removed log")
    return Log(
        address=parse_fixed(Address, wire.address),
        topics=tuple([parse_fixed(Hash32, topic) for topic in wire.topics]),
        data=parse_data(wire.data),
        block_hash=parse_fixed(BlockHash, wire.block_hash),
        block_number=BlockNumber(parse_quantity(wire.block_number)),
        tx_hash=parse_fixed(TxHash, wire.transaction_hash),
        tx_index=parse_quantity(wire.transaction_index),
        log_index=parse_quantity(wire.log_index),
    )


def parse_logs(wires: list[WireLog]) -> tuple[Log, ...]:
    """Convert logs.

    Raises:
        BadInput: also for logs out of order or twice.
    """
    logs = tuple([parse_log(wire) for wire in wires])
    places = [(log.block_number, log.log_index) for log in logs]
    if any(later <= earlier for earlier, later in pairwise(places)):
        raise BadInput("BAD_ANSWER", "logs out of order or twice")
    return logs


def parse_receipt(wire: WireReceipt) -> Receipt:
    """Convert a receipt.

    Raises:
        BadInput: it is none.
    """
    return Receipt(
        tx_hash=parse_fixed(TxHash, wire.transaction_hash),
        status=TxStatus.SUCCEEDED if parse_quantity(wire.status) == 1 else TxStatus.REVERTED,
        block_hash=parse_fixed(BlockHash, wire.block_hash),
        block_number=BlockNumber(parse_quantity(wire.block_number)),
        gas_used=Gas(parse_quantity(wire.gas_used)),
        effective_gas_price=Wei(parse_quantity(wire.effective_gas_price)),
        l1_fee=Wei(parse_quantity(wire.l1_fee or "0x0")),
        logs=parse_logs(wire.logs),
        contract_address=None if wire.contract_address is None else parse_fixed(Address, wire.contract_address),
    )


def parse_transaction(wire: WireTransaction) -> TransactionView:
    """Convert a transaction.

    Raises:
        BadInput: it is none.
    """
    return TransactionView(
        hash=parse_fixed(TxHash, wire.hash),
        sender=parse_fixed(Address, wire.sender),
        nonce=Nonce(parse_quantity(wire.nonce)),
        to=None if wire.to is None else parse_fixed(Address, wire.to),
        value=Wei(parse_quantity(wire.value)),
        input=parse_data(wire.input),
        block_hash=None if wire.block_hash is None else parse_fixed(BlockHash, wire.block_hash),
        block_number=None if wire.block_number is None else BlockNumber(parse_quantity(wire.block_number)),
    )


QUANTITY = Answer(str, parse_quantity)
DATA = Answer(str, parse_data)
HEAD = Answer(WireHead, parse_head)
LOGS = Answer(list[WireLog], parse_logs)
RECEIPT = Answer(WireReceipt, parse_receipt)
TRANSACTION = Answer(WireTransaction, parse_transaction)
