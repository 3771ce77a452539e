"""Option words of the limit order protocol: the maker's, signed; the taker's, chosen with the fill."""

from dataclasses import dataclass

from bmn.core.errors import BadInput
from bmn.core.order import MakerTraitsWord
from bmn.core.units import Address, TokenAmount, UnixTime
from bmn.core.words import check_bits

NEVER = UnixTime(0)
"""An expiration that never comes."""
UNCHECKED = TokenAmount(0)
"""A threshold that bounds nothing."""

_MAKER_FLAGS = {
    "no_partial_fills": 255,
    "allow_multiple_fills": 254,
    "pre_interaction": 252,
    "post_interaction": 251,
    "check_epoch": 250,
    "has_extension": 249,
    "use_permit2": 248,
    "unwrap_weth": 247,
}
_TAKER_FLAGS = {
    "is_making_amount": 255,
    "unwrap_weth": 254,
    "skip_maker_permit": 253,
    "use_permit2": 252,
    "has_target": 251,
}
_LOW_80 = (1 << 80) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MakerTraits:
    """Options in a signed order.

    Raises:
        BadInput: a number does not fit its field.
    """

    no_partial_fills: bool = False
    """Bit 255: all or nothing."""
    allow_multiple_fills: bool = False
    """Bit 254: may be filled in parts by several fills."""
    pre_interaction: bool = False
    """Bit 252: call the maker's pre-interaction."""
    post_interaction: bool = False
    """Bit 251: call the post-interaction; set in escrow orders."""
    check_epoch: bool = False
    """Bit 250: `nonce` is an epoch of `series`."""
    has_extension: bool = False
    """Bit 249: the salt binds an extension; set in escrow orders."""
    use_permit2: bool = False
    """Bit 248: Permit2 moves the maker's tokens."""
    unwrap_weth: bool = False
    """Bit 247: the maker gets native coin for WETH."""
    series: int = 0
    """Bits 160..199: series of epochs."""
    nonce: int = 0
    """Bits 120..159: nonce, or epoch when `check_epoch`."""
    expiration: UnixTime = NEVER
    """Bits 80..119: last chain second in which a fill is allowed; 0 is never."""
    allowed_sender: int = 0
    """Bits 0..79: low 80 bits of the only address that may fill; 0 is anyone."""

    def __post_init__(self) -> None:
        check_bits("series", self.series, 40)
        check_bits("nonce", self.nonce, 40)
        check_bits("expiration", self.expiration, 40)
        check_bits("allowed_sender", self.allowed_sender, 80)

    @property
    def uses_bit_invalidator(self) -> bool:
        """Whether one bit per nonce marks the order as done, instead of a remaining amount per order hash."""
        return self.no_partial_fills or not self.allow_multiple_fills

    @property
    def nonce_slot(self) -> int:
        """The invalidator slot of the nonce."""
        return self.nonce >> 8

    @property
    def nonce_mask(self) -> int:
        """The nonce's bit inside its slot."""
        return 1 << (self.nonce & 0xFF)

    def is_expired(self, at: UnixTime) -> bool:
        """Whether the protocol refuses a fill in a block of time `at`; the expiration second itself is allowed."""
        return 0 < self.expiration < at

    def allows_sender(self, sender: Address) -> bool:
        """Whether `sender` may call the fill; compares 80 bits only."""
        return self.allowed_sender in {0, low_80_bits(sender)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TakerTraits:
    """Options of one fill.

    Raises:
        BadInput: a number does not fit its field.
    """

    is_making_amount: bool = False
    """Bit 255: the `amount` argument is a making amount, else a taking amount."""
    unwrap_weth: bool = False
    """Bit 254: the taker gets native coin for WETH."""
    skip_maker_permit: bool = False
    """Bit 253: do not run the maker's permit."""
    use_permit2: bool = False
    """Bit 252: Permit2 moves the taker's tokens."""
    has_target: bool = False
    """Bit 251: `args` begin with the 20-byte receiver of the maker's tokens."""
    extension_length: int = 0
    """Bits 224..247: bytes of extension in `args`."""
    interaction_length: int = 0
    """Bits 200..223: bytes of taker interaction in `args`."""
    threshold: TokenAmount = UNCHECKED
    """Bits 0..184: most taking (with `is_making_amount`) or least making; 0 is unchecked."""

    def __post_init__(self) -> None:
        check_bits("extension_length", self.extension_length, 24)
        check_bits("interaction_length", self.interaction_length, 24)
        check_bits("threshold", self.threshold, 185)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakerArgs:
    """The `args` bytes of a fill, taken apart."""

    target: Address | None = None
    """Who receives the maker's tokens; for escrow fills the predicted source escrow."""
    extension: bytes = b""
    """The extension exactly as signed."""
    interaction: bytes = b""
    """Callee (20 bytes) and its data, called between the two legs."""


def low_80_bits(address: Address) -> int:
    """Return the part of an address that traits and whitelists compare."""
    return address.word & _LOW_80


def pack_maker_traits(traits: MakerTraits) -> MakerTraitsWord:
    """Return the word. Source: MakerTraitsLib of the limit order protocol v4."""
    return MakerTraitsWord(
        _pack_flags(traits, _MAKER_FLAGS)
        | traits.series << 160
        | traits.nonce << 120
        | traits.expiration << 80
        | traits.allowed_sender
    )


def unpack_maker_traits(word: MakerTraitsWord) -> MakerTraits:
    """Read a word.

    Raises:
        BadInput: a bit without a meaning is set; the contract ignores it, we do not guess.
    """
    traits = MakerTraits(
        **_unpack_flags(word, _MAKER_FLAGS),
        series=word >> 160 & 0xFF_FFFF_FFFF,
        nonce=word >> 120 & 0xFF_FFFF_FFFF,
        expiration=UnixTime(word >> 80 & 0xFF_FFFF_FFFF),
        allowed_sender=word & _LOW_80,
    )
    if pack_maker_traits(traits) != word:
        raise BadInput("BAD_MAKER_TRAITS", f"maker traits {word:#066x} have bits without a meaning")
    return traits


def pack_taker_traits(traits: TakerTraits) -> int:
    """Return the word. Source: TakerTraitsLib of the limit order protocol v4."""
    return (
        _pack_flags(traits, _TAKER_FLAGS)
        | traits.extension_length << 224
        | traits.interaction_length << 200
        | traits.threshold
    )


def unpack_taker_traits(word: int) -> TakerTraits:
    """Read a word.

    Raises:
        BadInput: a bit without a meaning is set.
    """
    traits = TakerTraits(
        **_unpack_flags(word, _TAKER_FLAGS),
        extension_length=word >> 224 & 0xFF_FFFF,
        interaction_length=word >> 200 & 0xFF_FFFF,
        threshold=TokenAmount(word & ((1 << 185) - 1)),
    )
    if pack_taker_traits(traits) != word:
        raise BadInput("BAD_TAKER_TRAITS", f"taker traits {word:#066x} have bits without a meaning")
    return traits


def encode_taker_args(args: TakerArgs) -> bytes:
    """Return `[target] || extension || interaction`; the lengths go into the taker traits."""
    return (args.target or b"") + args.extension + args.interaction


def decode_taker_args(traits: TakerTraits, data: bytes) -> TakerArgs:
    """Take `args` apart by the lengths in the traits.

    Raises:
        BadInput: the lengths do not add up to `data`.
    """
    start = 20 if traits.has_target else 0
    middle = start + traits.extension_length
    if middle + traits.interaction_length != len(data):
        raise BadInput("BAD_LENGTH", f"taker args have {len(data)} bytes, the traits say otherwise")
    return TakerArgs(
        target=Address(data[:20]) if traits.has_target else None,
        extension=data[start:middle],
        interaction=data[middle:],
    )


def taker_traits_for(
    args: TakerArgs,
    *,
    is_making_amount: bool,
    threshold: TokenAmount = UNCHECKED,
    unwrap_weth: bool = False,
    skip_maker_permit: bool = False,
    use_permit2: bool = False,
) -> TakerTraits:
    """Return the traits that describe `args`."""
    return TakerTraits(
        is_making_amount=is_making_amount,
        unwrap_weth=unwrap_weth,
        skip_maker_permit=skip_maker_permit,
        use_permit2=use_permit2,
        has_target=args.target is not None,
        extension_length=len(args.extension),
        interaction_length=len(args.interaction),
        threshold=threshold,
    )


def _pack_flags(traits: MakerTraits | TakerTraits, flags: dict[str, int]) -> int:
    return sum(1 << bit for name, bit in flags.items() if getattr(traits, name))


def _unpack_flags(word: int, flags: dict[str, int]) -> dict[str, bool]:
    return {name: bool(word >> bit & 1) for name, bit in flags.items()}
