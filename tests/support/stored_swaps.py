"""An accepted swap and what a chain said about it, put straight into the database."""

from dataclasses import replace

from tests.support.api_values import CONTRACTS, DST, SPECS, SRC
from tests.support.swap_facts import MARGINS
from tests.support.swap_values import A_SECRET, BORN, ESCROW_ORDER

from bmn.core.acceptance import AcceptancePolicy, TokenRule
from bmn.core.compact_signature import CompactSignature
from bmn.core.escrow_order import build_escrow_order
from bmn.core.immutables import DstComplement, Immutables, dst_immutables
from bmn.core.signed_order import SignedOrder, SwapTerms, parse_swap_terms
from bmn.core.units import (
    BlockHash,
    BlockNumber,
    Bps,
    ChainId,
    Hash32,
    Seconds,
    Secret,
    TokenAmount,
    TxHash,
    UnixTime,
    Wei,
)
from bmn.pg.pool import Connection, Pool, transaction
from bmn.pg.wake import Wake
from bmn.resolver.deps import ResolverDeps
from bmn.seams import Clock, SystemClock, SystemRng
from bmn.store.journal import Place, save_head
from bmn.store.orders import save_order
from bmn.store.sealing import Sealer
from bmn.store.swaps import create_swap

SEALER = Sealer(bytes(range(32)), SystemRng())


def an_order(number: int = 1, *, secret: Secret = A_SECRET) -> tuple[SignedOrder, SwapTerms]:
    """An order of its own for each number; its signature is nobody's."""
    post = ESCROW_ORDER.post_interaction
    extra = replace(post.extra, hashlock_info=Hash32(secret.hashlock), dst_chain_id=DST)
    order, extension = build_escrow_order(
        replace(ESCROW_ORDER, nonce=number, post_interaction=replace(post, extra=extra), expiration=UnixTime(0))
    )
    signature = CompactSignature(r=Hash32.from_word(7), vs=Hash32.from_word(8))
    signed = SignedOrder(src_chain=SRC, order=order, extension=extension, signature=signature)
    return signed, parse_swap_terms(signed, SPECS[SRC].domain)


async def put_swap(pool: Pool, number: int = 1, *, secret: Secret = A_SECRET) -> SwapTerms:
    """Accept an order."""
    signed, terms = an_order(number, secret=secret)
    async with transaction(pool) as conn:
        assert await save_order(conn, signed, terms)
        await create_swap(conn, terms.hashlock, SRC, DST, actor="test")
    return terms


async def put_head(conn: Connection, chain: ChainId, number: int, time: int, *, depth: int = 2) -> None:
    """Have a chain read up to a block, just now; a block each second."""
    await save_head(
        conn,
        chain,
        number=BlockNumber(number),
        block_hash=BlockHash.from_word(number),
        time=UnixTime(time),
        final_number=BlockNumber(number - depth),
        final_time=UnixTime(time - depth),
        is_newest=True,
    )


def a_place(number: int, *, log_index: int = 0, time: int = BORN) -> Place:
    return Place(
        block_number=BlockNumber(number),
        block_hash=BlockHash.from_word(number),
        block_time=UnixTime(time),
        tx_hash=TxHash.from_word(number * 1000 + log_index),
        log_index=log_index,
    )


def src_immutables(terms: SwapTerms, born: int = BORN) -> Immutables:
    return Immutables(
        order_hash=terms.order_hash,
        hashlock=terms.hashlock,
        maker=terms.maker,
        taker=CONTRACTS.resolver,
        token=terms.src_token,
        amount=terms.making_amount,
        safety_deposit=terms.src_deposit,
        timelocks=terms.timelocks.deployed(UnixTime(born)),
    )


def complement_of(terms: SwapTerms) -> DstComplement:
    return DstComplement(
        maker=terms.receiver,
        amount=terms.taking_amount,
        token=terms.dst_token,
        safety_deposit=terms.dst_deposit,
        chain_id=DST,
    )


def locked_immutables(terms: SwapTerms, born: int = BORN) -> Immutables:
    return dst_immutables(
        src_immutables(terms, born), complement_of(terms), taker=CONTRACTS.resolver, deployed_at=UnixTime(born)
    )


def some_deps(pool: Pool, clock: Clock | None = None) -> ResolverDeps:
    """A resolver that reaches no chain."""
    extra = ESCROW_ORDER.post_interaction.extra
    rule = TokenRule(symbol="T", decimals=18, max_amount=TokenAmount(10**24), micro_usd=1)
    pair = AcceptancePolicy(
        src=SPECS[SRC],
        dst=SPECS[DST],
        src_tokens={ESCROW_ORDER.maker_asset: rule},
        dst_tokens={extra.dst_token: rule},
        margins=replace(MARGINS, skew=Seconds(60)),
        max_deposit=Wei(1000),
        min_margin=Bps(0),
    )
    return ResolverDeps(
        pool=pool,
        chains={},
        specs=SPECS,
        pairs={(SRC, DST): pair},
        accepting=True,
        sealer=SEALER,
        wake=Wake(),
        clock=clock or SystemClock(),
        rng=SystemRng(),
    )
