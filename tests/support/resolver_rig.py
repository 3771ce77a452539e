"""A resolver on two local chains and a real database, driven step by step: journals are read on demand."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count

from tests.support.swap_on_chain import MAKER, OPERATOR, chain_now, height, must, spec_of
from tests.support.swap_values import ESCROW_ORDER
from tests.support.worlds import client_of

from bmn.bindings import token_calls
from bmn.core.acceptance import AcceptancePolicy, TokenRule
from bmn.core.chain import ChainSpec
from bmn.core.compact_signature import parse_signature
from bmn.core.eip712 import order_hash
from bmn.core.escrow_order import EscrowOrder, build_escrow_order
from bmn.core.margins import ChainTiming, Margins
from bmn.core.signed_order import SignedOrder
from bmn.core.swap import Action, decide
from bmn.core.timelocks import Timelocks
from bmn.core.units import (
    Bps,
    ChainId,
    Hash32,
    Seconds,
    Secret,
    TokenAmount,
    UnixTime,
    Wei,
)
from bmn.devnet.world import MAKER_KEY, DevChain, Devnet
from bmn.evm.devkeys import dev_signer
from bmn.indexer.follow import Follower
from bmn.pg.leases import acquire
from bmn.pg.pool import Pool, connection
from bmn.pg.wake import Wake
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.gather import Gathered, gather
from bmn.resolver.intake import Accepted, accept_order
from bmn.resolver.wanted import new_intents
from bmn.seams import SystemClock, SystemRng
from bmn.store.intents import NewIntent
from bmn.store.journal import StoredHead, load_head
from bmn.store.sealing import Sealer

TIMING = ChainTiming(block_time=Seconds(1), depth=2, inclusion=Seconds(60), outage=Seconds(60))
MARGINS = Margins(
    src=TIMING,
    dst=TIMING,
    detect=Seconds(1),
    recovery=Seconds(1),
    skew=Seconds(600),
    min_reveal=Seconds(1),
    max_lock=Seconds(100_000),
)
LOCKS = Timelocks(
    src_withdrawal=Seconds(10),
    src_public_withdrawal=Seconds(3000),
    src_cancellation=Seconds(4000),
    src_public_cancellation=Seconds(5000),
    dst_withdrawal=Seconds(10),
    dst_public_withdrawal=Seconds(1000),
    dst_cancellation=Seconds(2000),
    deployed_at=UnixTime(0),
)
MAX_AMOUNT = TokenAmount(10**22)


_firsts = count(1_000, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverRig:
    """What a test of the resolver needs. Tests share the chains: the numbers of each are its own."""

    src: DevChain
    dst: DevChain
    pool: Pool
    deps: ResolverDeps
    followers: tuple[Follower, ...]
    first: int = field(default_factory=lambda: next(_firsts))
    """What its number 0 is on the chains."""

    @property
    def src_spec(self) -> ChainSpec:
        return self.deps.specs[self.src.anvil.chain_id]

    @property
    def dst_spec(self) -> ChainSpec:
        return self.deps.specs[self.dst.anvil.chain_id]

    async def read(self, *, blocks: int = 1) -> None:
        """Mine on both chains and bring both journals to the head."""
        for chain in (self.src, self.dst):
            await chain.anvil.mine(blocks)
        for follower in self.followers:
            await follower.catch_up(None)

    async def sign(self, terms: EscrowOrder, domain_of: ChainSpec | None = None) -> SignedOrder:
        """Sign an order as the maker, for the source chain or for another."""
        order, extension = build_escrow_order(terms)
        spec = domain_of or self.src_spec
        signature = await dev_signer(MAKER_KEY, [spec.id]).sign_digest(order_hash(spec.domain, order))
        return SignedOrder(
            src_chain=self.src_spec.id,
            order=order,
            extension=extension,
            signature=parse_signature(signature.to_bytes()),
        )

    def secret(self, number: int) -> Secret:
        """The secret of its order of that number."""
        return Secret(b"rig" + bytes(21) + (self.first + number).to_bytes(8, "big"))

    def terms(self, number: int, *, secret: Secret | None = None) -> EscrowOrder:
        """An order of its own for each number, good to be accepted."""
        post = ESCROW_ORDER.post_interaction
        secret = secret or self.secret(number)
        return replace(
            ESCROW_ORDER,
            maker=MAKER,
            maker_asset=self.src.contracts.access_token,
            taker_asset=self.src.contracts.noop_token,
            making_amount=TokenAmount(1000 + number),
            taking_amount=TokenAmount(900 + number),
            nonce=self.first + number,
            expiration=UnixTime(0),
            post_interaction=replace(
                post,
                factory=self.src.contracts.factory,
                resolving_start=UnixTime(0),
                whitelist=(),
                extra=replace(
                    post.extra,
                    hashlock_info=Hash32(secret.hashlock),
                    dst_chain_id=self.dst_spec.id,
                    dst_token=self.dst.contracts.access_token,
                    timelocks=LOCKS,
                ),
            ),
        )

    async def accept(self, number: int) -> Accepted:
        outcome = await accept_order(await self.sign(self.terms(number)), self.deps)
        assert isinstance(outcome, Accepted), outcome
        return outcome

    async def gather(self, swap: Accepted) -> Gathered:
        async with connection(self.pool) as conn:
            gathered = await gather(conn, swap.hashlock, self.deps)
        assert gathered is not None
        return gathered

    async def wanted(self, swap: Accepted) -> list[NewIntent]:
        """Decide, and return the new intents."""
        gathered = await self.gather(swap)
        policy = self.deps.policy(self.src_spec.id, self.dst_spec.id)
        return new_intents(gathered, decide(gathered.facts, gathered.now, policy), policy, self.deps)

    async def fill(self, number: int) -> Accepted:
        """Accept an order and fill it by the very calldata the resolver wants; the escrow is final."""
        swap = await self.accept(number)
        await self.read()
        (intent,) = await self.wanted(swap)
        assert intent.action is Action.FILL
        await must(self.src.anvil, OPERATOR, intent.target, intent.data)
        await self.read(blocks=3)
        return swap

    async def head(self, spec: ChainSpec) -> StoredHead:
        async with connection(self.pool) as conn:
            head = await load_head(conn, spec.id)
        assert head is not None
        return head

    async def now(self, chain: DevChain) -> UnixTime:
        return await chain_now(chain.anvil)


async def allow(chain: DevChain, amount: TokenAmount) -> None:
    """Have the maker let the order protocol take `amount`."""
    approval = token_calls.build_approve(chain.contracts.limit_order_protocol, amount)
    await must(chain.anvil, MAKER, chain.contracts.access_token, approval)


@asynccontextmanager
async def open_resolver_rig(world: Devnet, pool: Pool) -> AsyncIterator[ResolverRig]:
    """Journals that begin with the next block."""
    src, dst = world.chains
    wake = Wake()
    async with AsyncExitStack() as stack:
        chains, specs, followers = {}, {}, []
        for dev in world.chains:
            spec = spec_of(dev, start_block=await height(dev.anvil) + 1)
            chains[spec.id] = await stack.enter_async_context(client_of(dev))
            specs[spec.id] = spec
            async with connection(pool) as conn:
                lease = await acquire(conn, f"indexer:{spec.name}", "test", 0.001)  # ended at once, ours until taken
            assert lease is not None
            followers.append(Follower(pool=pool, chain=chains[spec.id], spec=spec, lease=lease, wake=wake))
        await allow(src, TokenAmount(2**255))
        yield ResolverRig(
            src=src,
            dst=dst,
            pool=pool,
            followers=tuple(followers),
            deps=ResolverDeps(
                pool=pool,
                chains=chains,
                specs=specs,
                pairs={(src.anvil.chain_id, dst.anvil.chain_id): _policy(src, dst, specs)},
                accepting=True,
                sealer=Sealer(bytes(32), SystemRng()),
                wake=wake,
                clock=SystemClock(),
                rng=SystemRng(),
            ),
        )


def _policy(src: DevChain, dst: DevChain, specs: dict[ChainId, ChainSpec]) -> AcceptancePolicy:
    rule = TokenRule(symbol="BMN", decimals=18, max_amount=MAX_AMOUNT, micro_usd=1_000_000)
    return AcceptancePolicy(
        src=specs[src.anvil.chain_id],
        dst=specs[dst.anvil.chain_id],
        src_tokens={src.contracts.access_token: rule},
        dst_tokens={dst.contracts.access_token: rule},
        margins=MARGINS,
        max_deposit=Wei(10**15),
        min_margin=Bps(0),
    )
