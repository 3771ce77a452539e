"""An order that makes escrows: what its extension must say, how to build one and how to read one."""

from dataclasses import dataclass
from enum import Enum

from bmn.core.auction import Auction, decode_auction, encode_auction
from bmn.core.errors import BadInput
from bmn.core.extension import Extension, check_salt, decode_extension, encode_extension, salt_for
from bmn.core.order import Order
from bmn.core.timelocks import Timelocks, pack_timelocks, unpack_timelocks
from bmn.core.traits import MakerTraits, low_80_bits, pack_maker_traits, unpack_maker_traits
from bmn.core.units import ZERO_ADDRESS, Address, ChainId, Hash32, Hashlock, Seconds, TokenAmount, UnixTime, Wei
from bmn.core.words import check_bits, decode_address, decode_uint, encode_address, encode_uint

EXTRA_DATA_SIZE = 160
MAX_WHITELIST = 31
_ENTRY_SIZE = 12
_LOW_128 = (1 << 128) - 1


class FillKind(Enum):
    """How many swaps an order can become."""

    SINGLE = "single"
    """One; `hashlock_info` is the hashlock."""
    MULTI = "multi"
    """Several, each with its own secret; `hashlock_info` is the number of parts and a Merkle root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraDataArgs:
    """What the factory needs beside the order to make the source escrow.

    Raises:
        BadInput: a deposit does not fit 128 bits.
    """

    hashlock_info: Hash32
    """See `FillKind`."""
    dst_chain_id: ChainId
    """Where the maker is paid."""
    dst_token: Address
    """What the maker is paid in; zero is the native coin."""
    src_safety_deposit: Wei
    """The resolver's deposit in the source escrow."""
    dst_safety_deposit: Wei
    """The resolver's deposit in the destination escrow."""
    timelocks: Timelocks
    """`deployed_at` is ignored by the factory."""

    def __post_init__(self) -> None:
        check_bits("src_safety_deposit", self.src_safety_deposit, 128)
        check_bits("dst_safety_deposit", self.dst_safety_deposit, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhitelistEntry:
    """Who may fill, and how long after the entry before.

    Raises:
        BadInput: a number does not fit its field.
    """

    low_bits: int
    """Low 80 bits of the taker's address: advice, not authentication."""
    delay: Seconds
    """16 bits."""

    def __post_init__(self) -> None:
        check_bits("low_bits", self.low_bits, 80)
        check_bits("delay", self.delay, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostInteraction:
    """The field of the extension that makes the source escrow.

    Raises:
        BadInput: more than 31 whitelist entries, or a start beyond 32 bits.
    """

    factory: Address
    """The escrow factory of the source chain."""
    resolving_start: UnixTime
    """Before it nobody may fill (32 bits)."""
    whitelist: tuple[WhitelistEntry, ...] = ()
    """In order; delays add up."""
    extra: ExtraDataArgs
    """Parameters of the escrows."""

    def __post_init__(self) -> None:
        check_bits("resolving_start", self.resolving_start, 32)
        if len(self.whitelist) > MAX_WHITELIST:
            raise BadInput("BAD_WHITELIST", f"at most {MAX_WHITELIST} resolvers fit, got {len(self.whitelist)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowOrder:
    """An escrow order by meaning; `build_escrow_order` and `parse_escrow_order` are each other's inverse."""

    kind: FillKind
    """One swap or several."""
    maker: Address
    """Who signs and gives."""
    receiver: Address
    """Who is paid on the destination chain; zero means the maker."""
    maker_asset: Address
    """Token given, on the source chain."""
    taker_asset: Address
    """No-op token of the source chain; must not be a real one."""
    making_amount: TokenAmount
    """How much is given."""
    taking_amount: TokenAmount
    """How much the maker is paid, in the destination token."""
    post_interaction: PostInteraction
    """Factory, whitelist and escrow parameters."""
    auction: Auction | None = None
    """None: the price is constant."""
    salt_base: int
    """96 bits that make the order unique."""
    nonce: int
    """40 bits; unique for each single-fill order of a maker."""
    expiration: UnixTime
    """Last source-chain second in which a fill is allowed; 0 is never."""


def build_escrow_order(terms: EscrowOrder) -> tuple[Order, bytes]:
    """Return the order to sign and its encoded extension.

    Raises:
        BadInput: a number does not fit its field.
    """
    amounts = b"" if terms.auction is None else terms.post_interaction.factory + encode_auction(terms.auction)
    extension = encode_extension(
        Extension(
            making_amount_data=amounts,
            taking_amount_data=amounts,
            post_interaction=encode_post_interaction(terms.post_interaction),
        )
    )
    order = Order(
        salt=salt_for(terms.salt_base, extension),
        maker=terms.maker,
        receiver=terms.receiver,
        maker_asset=terms.maker_asset,
        taker_asset=terms.taker_asset,
        making_amount=terms.making_amount,
        taking_amount=terms.taking_amount,
        maker_traits=pack_maker_traits(_traits_of(terms)),
    )
    return order, extension


def parse_escrow_order(order: Order, extension: bytes) -> EscrowOrder:
    """Read what a maker published; whatever we would not have built ourselves is refused.

    Whether price, chains, tokens, timelocks and signature are acceptable is decided elsewhere.

    Raises:
        BadInput: WRONG_EXTENSION, or NOT_ESCROW_ORDER and its kin: fields, flags or fees we do not trade.
    """
    check_salt(order.salt, extension)
    traits = unpack_maker_traits(order.maker_traits)
    fields = decode_extension(extension)
    post_interaction = parse_post_interaction(fields.post_interaction)
    terms = EscrowOrder(
        kind=FillKind.MULTI if traits.allow_multiple_fills else FillKind.SINGLE,
        maker=order.maker,
        receiver=order.receiver,
        maker_asset=order.maker_asset,
        taker_asset=order.taker_asset,
        making_amount=order.making_amount,
        taking_amount=order.taking_amount,
        post_interaction=post_interaction,
        auction=_parse_auction(fields, post_interaction.factory),
        salt_base=order.salt >> 160,
        nonce=traits.nonce,
        expiration=traits.expiration,
    )
    # Rebuilding catches every option, field and stray byte that has no place in `EscrowOrder`.
    if build_escrow_order(terms) != (order, extension):
        raise BadInput("NOT_ESCROW_ORDER", "the order has options or extension fields that escrow orders never use")
    return terms


def whitelist_allows(
    post_interaction: PostInteraction, taker: Address, at: UnixTime, *, holds_access_token: bool = False
) -> bool:
    """Whether the factory lets `taker` fill in a block of time `at`.

    Source: WhitelistExtension and ResolverFeeExtension of limit-order-settlement.
    """
    allowed_from = int(post_interaction.resolving_start)
    for entry in post_interaction.whitelist:
        allowed_from += entry.delay
        if entry.low_bits == low_80_bits(taker) and allowed_from <= at:
            return True
        if entry.low_bits == low_80_bits(taker) or allowed_from > at:
            break
    return holds_access_token and post_interaction.resolving_start <= at


def hashlock_of(terms: EscrowOrder) -> Hashlock:
    """Return the hashlock of a single-fill order: the identity of its swap.

    Raises:
        BadInput: MULTI_FILL: the order has one hashlock for each part.
    """
    if terms.kind is not FillKind.SINGLE:
        raise BadInput("MULTI_FILL", "orders filled in parts are not traded yet", hint="sign a single-fill order")
    return Hashlock(terms.post_interaction.extra.hashlock_info)


def paid_to(terms: EscrowOrder) -> Address:
    """Return who is paid on the destination chain."""
    return terms.maker if terms.receiver == ZERO_ADDRESS else terms.receiver


def pack_deposits(src: Wei, dst: Wei) -> int:
    """Return `src << 128 | dst`; each fits 128 bits."""
    return src << 128 | dst


def unpack_deposits(word: int) -> tuple[Wei, Wei]:
    """Return the deposits (source, destination) of a 256-bit word."""
    return Wei(word >> 128), Wei(word & _LOW_128)


def encode_extra_data(extra: ExtraDataArgs) -> bytes:
    """Return hashlockInfo, dstChainId, dstToken, deposits, timelocks: five words, 160 bytes."""
    return b"".join(
        (
            extra.hashlock_info,
            encode_uint(extra.dst_chain_id),
            encode_address(extra.dst_token),
            encode_uint(pack_deposits(extra.src_safety_deposit, extra.dst_safety_deposit)),
            encode_uint(pack_timelocks(extra.timelocks)),
        )
    )


def parse_extra_data(data: bytes) -> ExtraDataArgs:
    """Read the five words.

    Raises:
        BadInput: not 160 bytes, or the token is no address.
    """
    if len(data) != EXTRA_DATA_SIZE:
        raise BadInput("BAD_LENGTH", f"escrow parameters have {EXTRA_DATA_SIZE} bytes, got {len(data)}")
    src_deposit, dst_deposit = unpack_deposits(decode_uint(data[96:128]))
    return ExtraDataArgs(
        hashlock_info=Hash32(data[:32]),
        dst_chain_id=ChainId(decode_uint(data[32:64])),
        dst_token=decode_address(data[64:96]),
        src_safety_deposit=src_deposit,
        dst_safety_deposit=dst_deposit,
        timelocks=unpack_timelocks(decode_uint(data[128:])),
    )


def encode_post_interaction(post_interaction: PostInteraction) -> bytes:
    """Return factory (20 bytes), start (4), entries (10 + 2 each), flags (1: count << 3), parameters (160)."""
    return b"".join(
        (
            post_interaction.factory,
            post_interaction.resolving_start.to_bytes(4, "big"),
            *(
                entry.low_bits.to_bytes(10, "big") + entry.delay.to_bytes(2, "big")
                for entry in post_interaction.whitelist
            ),
            bytes((len(post_interaction.whitelist) << 3,)),
            encode_extra_data(post_interaction.extra),
        )
    )


def parse_post_interaction(data: bytes) -> PostInteraction:
    """Read the field.

    Raises:
        BadInput: BAD_POST_INTERACTION: too short, a fee or receiver flag is set, or bytes are left between
            whitelist and flags, where a second post-interaction could hide.
    """
    if len(data) < 25 + EXTRA_DATA_SIZE:
        raise BadInput("BAD_POST_INTERACTION", f"{len(data)} bytes are too short for an escrow order")
    head, extra = data[:-EXTRA_DATA_SIZE], data[-EXTRA_DATA_SIZE:]
    flags = head[-1]
    if flags & 0b111:
        raise BadInput("BAD_POST_INTERACTION", f"flags {flags:#04x} ask for fees or a receiver; not traded here")
    entries = head[24:-1]
    if len(entries) != (flags >> 3) * _ENTRY_SIZE:
        raise BadInput("BAD_POST_INTERACTION", f"{len(entries)} bytes of whitelist for {flags >> 3} entries")
    return PostInteraction(
        factory=Address(head[:20]),
        resolving_start=UnixTime(decode_uint(head[20:24])),
        whitelist=tuple(
            WhitelistEntry(
                low_bits=decode_uint(entries[at : at + 10]), delay=Seconds(decode_uint(entries[at + 10 : at + 12]))
            )
            for at in range(0, len(entries), _ENTRY_SIZE)
        ),
        extra=parse_extra_data(extra),
    )


def _traits_of(terms: EscrowOrder) -> MakerTraits:
    multi = terms.kind is FillKind.MULTI
    return MakerTraits(
        no_partial_fills=not multi,
        allow_multiple_fills=multi,
        post_interaction=True,
        has_extension=True,
        nonce=terms.nonce,
        expiration=terms.expiration,
    )


def _parse_auction(fields: Extension, factory: Address) -> Auction | None:
    data = fields.taking_amount_data
    if not data:
        return None
    if data[:20] != factory:
        raise BadInput("NOT_ESCROW_ORDER", "another contract than the factory sets the amounts")
    return decode_auction(data[20:])
