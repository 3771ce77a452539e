"""A resolver with a memory and no chain, for tests of HTTP: real answers, small rules."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from tests.support.swap_values import A_SECRET, BORN, ESCROW_ORDER, FACTORY, TAKER, an_address

from bmn.api.ports import ApiDeps, Component
from bmn.core.chain import ChainSpec, Contracts
from bmn.core.compact_signature import CompactSignature
from bmn.core.eip712 import order_hash
from bmn.core.errors import TransientError
from bmn.core.escrow_order import build_escrow_order
from bmn.core.signed_order import SignedOrder, parse_swap_terms
from bmn.core.swap import State
from bmn.core.units import BlockNumber, ChainId, Gas, Hash32, OrderHash, Seconds, Secret, TxHash, UnixTime, Wei
from bmn.resolver.intake import Accepted, Rejected
from bmn.resolver.secret_intake import NotTaken, Taken
from bmn.resolver.view import EscrowView, SwapView, TransactionStep
from bmn.store.feed import Feed

SRC, DST = ChainId(31337), ChainId(31338)
CONTRACTS = Contracts(
    factory=FACTORY,
    src_implementation=an_address(21),
    dst_implementation=an_address(22),
    limit_order_protocol=an_address(23),
    resolver=TAKER,
    access_token=an_address(24),
    noop_token=an_address(5),
    rescue_delay_src=Seconds(604_800),
    rescue_delay_dst=Seconds(604_800),
)


def a_spec(chain: ChainId, name: str) -> ChainSpec:
    return ChainSpec(
        name=name,
        id=chain,
        block_time=1.0,
        depth=2,
        start_block=BlockNumber(0),
        contracts=CONTRACTS,
        domain_name="1inch Limit Order Protocol",
        domain_version="4",
    )


SPECS = {SRC: a_spec(SRC, "alpha"), DST: a_spec(DST, "beta")}
ORDER, EXTENSION = build_escrow_order(ESCROW_ORDER)
SIGNED = SignedOrder(
    src_chain=SRC,
    order=ORDER,
    extension=EXTENSION,
    signature=CompactSignature(r=Hash32.from_word(7), vs=Hash32.from_word(8)),
)
ORDER_HASH = order_hash(SPECS[SRC].domain, ORDER)


class SmallResolver:
    """Takes every order that is not refused by `refusal`, and its secret when `takes_secrets`."""

    def __init__(self) -> None:
        self.views: dict[OrderHash, SwapView] = {}
        self.secrets: dict[OrderHash, Secret] = {}
        self.refusal: Rejected | None = None
        self.not_taken: NotTaken | None = None
        self.components = {"database": Component(healthy=True, detail="answers")}
        self.defect: Exception | None = None

    @property
    def deps(self) -> ApiDeps:
        return ApiDeps(
            accept_order=self.accept,
            take_secret=self.take,
            load_view=self.load,
            list_views=self.list,
            open_feed=self.feed,
            check_components=self.check,
            specs=SPECS,
            pairs=((SRC, DST),),
        )

    async def accept(self, signed: SignedOrder) -> Accepted | Rejected:
        if self.defect is not None:
            raise self.defect
        if self.refusal is not None:
            return self.refusal
        terms = parse_swap_terms(signed, SPECS[signed.src_chain].domain)
        is_new = terms.order_hash not in self.views
        if is_new:
            self.views[terms.order_hash] = a_view(terms.order_hash)
        return Accepted(order_hash=terms.order_hash, hashlock=terms.hashlock, state=State.ACCEPTED, is_new=is_new)

    async def take(self, order: OrderHash, secret: Secret) -> Taken | NotTaken:
        if self.defect is not None:
            raise self.defect
        if self.not_taken is not None:
            return self.not_taken
        if order not in self.views or secret.hashlock != self.views[order].hashlock:
            return NotTaken(code="WRONG_SECRET", detail="no order here has this hash and this secret")
        self.secrets[order] = secret
        return Taken(state=State.AWAIT_SECRET)

    async def load(self, order: OrderHash) -> SwapView | None:
        return self.views.get(order)

    async def list(self, state: State | None, limit: int) -> Sequence[SwapView]:
        return [view for view in self.views.values() if state in {None, view.state}][:limit]

    def feed(self, after: int | None) -> AbstractAsyncContextManager[Feed]:
        raise TransientError("DATABASE_UNAVAILABLE", "there is none here")

    async def check(self) -> Mapping[str, Component]:
        return self.components


def a_view(order: OrderHash) -> SwapView:
    escrow = EscrowView(address=an_address(31), deployed_at=BORN, tx_hash=TxHash(b"\x01" * 32), immutables=bytes(256))
    return SwapView(
        order_hash=order,
        hashlock=A_SECRET.hashlock,
        number=1,
        state=State.AWAIT_SECRET,
        reason="WAIT",
        src_chain=SRC,
        dst_chain=DST,
        src_escrow=escrow,
        dst_escrow=None,
        reveal_until=UnixTime(BORN + 60),
        transactions=(
            TransactionStep(
                step="fill",
                chain=SRC,
                hash=TxHash(b"\x02" * 32),
                block=BlockNumber(9),
                gas=Gas(21_000),
                gas_price=Wei(10**30),
                state="done",
            ),
        ),
    )
