"""Whose word an event is: a contract's of ours, a foreign one's about our hashlock, or a stranger's. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from bmn.bindings import escrow_logs
from bmn.bindings.escrow_logs import (
    BitInvalidatorUpdated,
    DstEscrowCreated,
    DstLocked,
    EscrowCancelled,
    EscrowWithdrawal,
    FundsRescued,
    OrderCancelled,
    OrderFilled,
    SrcEscrowCreated,
    Transfer,
    decode_log,
)
from bmn.core.chain import Contracts
from bmn.core.escrow_address import escrow_address
from bmn.core.immutables import encode_complement, encode_immutables
from bmn.core.units import Address, BlockHash, BlockNumber, Hash32, Hashlock, OrderHash, UnixTime
from bmn.core.windows import Side
from bmn.evm.types import Log
from bmn.store.journal import EventKind, NewEscrow, NewEvent, Place

TOPICS: Final[tuple[Hash32, ...]] = tuple(
    Hash32(topic)
    for topic in (
        escrow_logs.SRC_ESCROW_CREATED,
        escrow_logs.DST_ESCROW_CREATED,
        escrow_logs.ESCROW_WITHDRAWAL,
        escrow_logs.ESCROW_CANCELLED,
        escrow_logs.FUNDS_RESCUED,
        escrow_logs.ORDER_FILLED,
        escrow_logs.ORDER_CANCELLED,
        escrow_logs.BIT_INVALIDATOR_UPDATED,
        escrow_logs.DST_LOCKED,
    )
)
"""First topics to ask for, of any emitter."""

_Indexed: TypeAlias = (
    SrcEscrowCreated
    | DstEscrowCreated
    | EscrowWithdrawal
    | EscrowCancelled
    | FundsRescued
    | OrderFilled
    | OrderCancelled
    | BitInvalidatorUpdated
    | DstLocked
    | Transfer
)

KnownEscrows: TypeAlias = Mapping[Address, tuple[Hashlock, OrderHash | None]]
"""Escrows that our factory made, for anybody, and what they belong to; a destination not of ours names no order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A log and what it says."""

    place: Place
    emitter: Address
    event: _Indexed


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a run of blocks adds to the journal."""

    events: tuple[NewEvent, ...]
    escrows: tuple[NewEscrow, ...]
    strangers: tuple[tuple[EventKind, BlockNumber], ...]
    """Events of nobody's concern, and the block of each."""


def decode_logs(logs: Iterable[Log], times: Mapping[BlockHash, UnixTime]) -> tuple[Decoded, ...]:
    """Return the logs that say something we know, each once, in the order of the chain.

    `times` has the block of every log.
    """
    decoded = []
    for log in sorted({(log.block_hash, log.log_index): log for log in logs}.values(), key=_where):
        event = decode_log(log)
        if event is None:
            continue
        place = Place(
            block_number=log.block_number,
            block_hash=log.block_hash,
            block_time=times[log.block_hash],
            tx_hash=log.tx_hash,
            log_index=log.log_index,
        )
        decoded.append(Decoded(place=place, emitter=log.address, event=event))
    return tuple(decoded)


def _where(log: Log) -> tuple[BlockNumber, int]:
    return log.block_number, log.log_index


def named_hashlocks(decoded: Iterable[Decoded]) -> frozenset[Hashlock]:
    """Return every hashlock that the events name, or reveal the secret of."""
    named = (_hashlock_of(one.event) for one in decoded)
    return frozenset(hashlock for hashlock in named if hashlock is not None)


def classify(
    decoded: Sequence[Decoded], *, contracts: Contracts, known: AbstractSet[Hashlock], escrows: KnownEscrows
) -> News:
    """Sort events in the order of the chain; `known` hashlocks have orders, `escrows` were made before.

    Order matters: an escrow may be made and emptied in one block.
    """
    ours = dict(escrows)
    events: list[NewEvent] = []
    made: list[NewEscrow] = []
    strangers: list[tuple[EventKind, BlockNumber]] = []
    for one in decoded:
        escrow = _made_escrow(one, contracts)
        if escrow is not None:
            made.append(escrow)
            ours[escrow.address] = (escrow.immutables.hashlock, escrow.immutables.order_hash)
        elif isinstance(one.event, DstEscrowCreated) and one.emitter == contracts.factory:
            ours.setdefault(one.event.escrow, (one.event.hashlock, None))
        own = escrow is not None or _is_ours(one, contracts, ours)
        if own or _hashlock_of(one.event) in known:
            events.append(_row(one, escrow, ours if own else {}, is_foreign=not own))
        else:
            strangers.append((_kind_of(one.event), one.place.block_number))
    return News(events=tuple(events), escrows=tuple(made), strangers=tuple(strangers))


def _made_escrow(one: Decoded, contracts: Contracts) -> NewEscrow | None:
    """Return the escrow that the event proves: told by the factory (src) or by our Resolver (dst)."""
    match one.event:
        case SrcEscrowCreated() as event if one.emitter == contracts.factory:
            address = escrow_address(
                factory=contracts.factory, implementation=contracts.src_implementation, immutables=event.immutables
            )
            return NewEscrow(
                place=one.place,
                side=Side.SRC,
                address=address,
                immutables=event.immutables,
                complement=event.complement,
            )
        case DstLocked() as event if one.emitter == contracts.resolver:
            address = escrow_address(
                factory=contracts.factory, implementation=contracts.dst_implementation, immutables=event.immutables
            )
            # Our own Resolver cannot say anything else; if it does, what is configured as ours is not.
            if (event.escrow, event.hashlock) != (address, event.immutables.hashlock):
                return None
            return NewEscrow(
                place=one.place, side=Side.DST, address=address, immutables=event.immutables, complement=None
            )
    return None


def _is_ours(one: Decoded, contracts: Contracts, ours: KnownEscrows) -> bool:
    match one.event:
        case SrcEscrowCreated() | DstLocked():
            return False  # proven by `_made_escrow`, or not at all
        case DstEscrowCreated():
            return one.emitter == contracts.factory
        case OrderFilled() | OrderCancelled() | BitInvalidatorUpdated():
            return one.emitter == contracts.limit_order_protocol
        case EscrowWithdrawal(secret=secret):
            return one.emitter in ours and secret.hashlock == ours[one.emitter][0]
        case EscrowCancelled() | FundsRescued():
            return one.emitter in ours
        case Transfer():
            return one.emitter == contracts.access_token
        case _:
            assert_never(one.event)


def _row(one: Decoded, made: NewEscrow | None, ours: KnownEscrows, *, is_foreign: bool) -> NewEvent:
    """Return the row of the journal; `ours` gives the swap of an escrow that names none."""
    hashlock, order_hash = ours.get(one.emitter, (None, None))
    event = one.event
    escrow = one.emitter if hashlock is not None else None
    match event:
        case DstEscrowCreated() | DstLocked():
            escrow = event.escrow
        case SrcEscrowCreated() if made is not None:
            escrow = made.address
        case EscrowWithdrawal():
            escrow = one.emitter
        case _:
            pass
    return NewEvent(
        place=one.place,
        kind=_kind_of(event),
        emitter=one.emitter,
        is_foreign=is_foreign,
        hashlock=_hashlock_of(event) or hashlock,
        order_hash=_order_hash_of(event) or order_hash,
        escrow=escrow,
        maker=event.maker if isinstance(event, BitInvalidatorUpdated) else None,
        secret=event.secret if isinstance(event, EscrowWithdrawal) else None,
        body=_body_of(event),
    )


def _hashlock_of(event: _Indexed) -> Hashlock | None:
    match event:
        case SrcEscrowCreated():
            return event.immutables.hashlock
        case DstEscrowCreated() | DstLocked():
            return event.hashlock
        case EscrowWithdrawal():
            return event.secret.hashlock
        case (
            EscrowCancelled() | FundsRescued() | OrderFilled() | OrderCancelled() | BitInvalidatorUpdated() | Transfer()
        ):
            return None
        case _:
            assert_never(event)


def _order_hash_of(event: _Indexed) -> OrderHash | None:
    match event:
        case SrcEscrowCreated() | DstLocked():
            return event.immutables.order_hash
        case OrderFilled() | OrderCancelled():
            return event.order_hash
        case (
            DstEscrowCreated()
            | EscrowWithdrawal()
            | EscrowCancelled()
            | FundsRescued()
            | BitInvalidatorUpdated()
            | Transfer()
        ):
            return None
        case _:
            assert_never(event)


def _kind_of(event: _Indexed) -> EventKind:
    return _KINDS[type(event)]


_KINDS: Final[Mapping[type[_Indexed], EventKind]] = {
    SrcEscrowCreated: EventKind.SRC_ESCROW_CREATED,
    DstEscrowCreated: EventKind.DST_ESCROW_CREATED,
    DstLocked: EventKind.DST_LOCKED,
    EscrowWithdrawal: EventKind.ESCROW_WITHDRAWAL,
    EscrowCancelled: EventKind.ESCROW_CANCELLED,
    FundsRescued: EventKind.FUNDS_RESCUED,
    OrderFilled: EventKind.ORDER_FILLED,
    OrderCancelled: EventKind.ORDER_CANCELLED,
    BitInvalidatorUpdated: EventKind.BIT_INVALIDATED,
    Transfer: EventKind.BMN_TRANSFER,
}


def _body_of(event: _Indexed) -> dict[str, str]:
    match event:
        case SrcEscrowCreated():
            return {
                "immutables": "0x" + encode_immutables(event.immutables).hex(),
                "complement": "0x" + encode_complement(event.complement).hex(),
            }
        case DstLocked():
            return {"immutables": "0x" + encode_immutables(event.immutables).hex()}
        case DstEscrowCreated():
            return {"taker": "0x" + event.taker.hex()}
        case FundsRescued():
            return {"token": str(event.token), "amount": str(event.amount)}
        case OrderFilled():
            return {"remaining": str(event.remaining)}
        case BitInvalidatorUpdated():
            return {"slot": str(event.slot), "mask": str(event.mask)}
        case Transfer():
            return {
                "sender": "0x" + event.sender.hex(),
                "receiver": "0x" + event.receiver.hex(),
                "amount": str(event.amount),
            }
        case EscrowWithdrawal() | EscrowCancelled() | OrderCancelled():
            return {}
        case _:
            assert_never(event)
