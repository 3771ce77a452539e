"""`bmn order`: the maker's side of a swap."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from bmn.cli.running import COMMON, Common, answer, columns, read_settings, remark, run_command

if TYPE_CHECKING:
    from bmn.cli.desk import Desk
    from bmn.core.units import ChainId, TokenAmount
    from bmn.evm.types import Head
    from bmn.maker.create import OrderTerms
    from bmn.maker.evidence import NotYet, Unsafe
    from bmn.maker.vault import MakerOrder
    from bmn.maker.watch import Progress
    from bmn.sdk.answers import OrderAccepted

T = TypeVar("T")

Name = Annotated[str, Parameter(help="Its order hash.")]
Wait = Annotated[float, Parameter(help="Seconds to go on trying while the escrows are not there or not final.")]

app = App(name="order", help="Orders of a maker.")

_CREATE = 'Example: bmn order create --src alpha --dst beta --give "10 BMN" --get "10 BMN" --submit'


@app.command(help_epilogue=_CREATE)
def create(
    *,
    src: Annotated[str, Parameter(help="Chain you pay on.")],
    dst: Annotated[str, Parameter(help="Chain you are paid on.")],
    give: Annotated[str, Parameter(help="What you pay: amount and token.")],
    get: Annotated[str, Parameter(help="What you are paid: amount and token.")],
    deposit: Annotated[str, Parameter(help="Safety deposit of each escrow, in the native coin.")] = "0.00002",
    expires_in: Annotated[int, Parameter(help="Seconds in which it may be filled.")] = 3600,
    receiver: Annotated[str | None, Parameter(help="Who is paid; else you.")] = None,
    submit: Annotated[bool, Parameter(negative="", help="Allow and submit it at once.")] = False,
    common: Common = COMMON,
) -> None:
    """Draw a secret, store it encrypted, and sign an order. Nothing is sent, unless --submit is given."""
    from bmn.maker.create import create_order
    from bmn.seams import SystemRng

    async def work(desk: "Desk") -> "tuple[MakerOrder, OrderAccepted | None]":
        terms = await _terms(desk, src, dst, give, get, deposit, expires_in, receiver)
        order = await create_order(terms, signer=desk.signer, rng=SystemRng(), vault=desk.vault)
        return order, await _submit(desk, order) if submit else None

    order, accepted = _at_desk(work, common)
    document = {
        "order_hash": str(order.order_hash),
        "hashlock": str(order.hashlock),
        "state": None if accepted is None else accepted.state,
    }
    after = f"state     {accepted.state}" if accepted else f"next      bmn order submit {order.order_hash}"
    answer(document, [f"order     {order.order_hash}", f"hashlock  {order.hashlock}", after], common)


@app.command(help_epilogue="Example: bmn order submit 0x1f…")
def submit(name: Name, /, *, common: Common = COMMON) -> None:
    """Allow the order protocol to take exactly what you give, and publish the order. The same again is harmless."""

    async def work(desk: "Desk") -> "OrderAccepted":
        return await _submit(desk, desk.load(name))

    accepted = _at_desk(work, common)
    document = {"order_hash": accepted.order_hash, "hashlock": accepted.hashlock, "state": accepted.state}
    answer(document, [f"order     {accepted.order_hash}", f"state     {accepted.state}"], common)


@app.command(name="list", help_epilogue="Example: bmn order list --json")
def list_(*, common: Common = COMMON) -> None:
    """List your orders; asks nobody."""

    async def work(desk: "Desk") -> "tuple[MakerOrder, ...]":
        return desk.vault.list()

    found = _at_desk(work, common)
    rows = [
        (order.order_hash, f"{order.src_chain} to {order.dst_chain}", "yes" if order.is_revealed else "no")
        for order in found
    ]
    document = [
        {
            "order_hash": str(order.order_hash),
            "hashlock": str(order.hashlock),
            "src_chain": order.src_chain,
            "dst_chain": order.dst_chain,
            "is_signed": order.signature is not None,
            "is_revealed": order.is_revealed,
        }
        for order in found
    ]
    answer(document, columns(["order", "chains", "revealed"], rows, empty="no orders yet"), common)


@app.command(help_epilogue="Example: bmn order show 0x1f…")
def show(name: Name, /, *, common: Common = COMMON) -> None:
    """Show where an order stands: what the resolver says, and what your own nodes see."""
    from bmn.maker.watch import look_at

    async def work(desk: "Desk") -> "Progress":
        order = desk.load(name)
        return await look_at(order, verify=desk.verifier(order), resolver=desk.resolver)

    _tell(_at_desk(work, common), common)


@app.command(help_epilogue="Example: bmn order watch 0x1f… --json")
def watch(name: Name, /, *, common: Common = COMMON) -> None:
    """Follow an order until you are paid or refunded; with --json, one document a line for each change."""
    from bmn.maker.watch import watch_order

    async def work(desk: "Desk") -> None:
        order = desk.load(name)
        async for progress in watch_order(order, verify=desk.verifier(order), resolver=desk.resolver):
            _tell(progress, common)

    _at_desk(work, common)


@app.command(help_epilogue="Example: bmn order cancel 0x1f…")
def cancel(name: Name, /, *, common: Common = COMMON) -> None:
    """Take an order back before it is filled. After the fill, only the timelocks give your tokens back."""
    from bmn.evm.types import Receipt
    from bmn.maker.cancel import cancel_order

    async def work(desk: "Desk") -> Receipt | None:
        order = desk.load(name)
        return await cancel_order(order, desk.specs[order.src_chain], desk.sender(order.src_chain))

    receipt = _at_desk(work, common)
    if receipt is None:
        answer({"transaction": None}, ["it was filled or cancelled before; nothing was sent"], common)
        return
    answer({"transaction": str(receipt.tx_hash)}, [f"cancelled in {receipt.tx_hash}"], common)


@app.command(help_epilogue="Example: bmn order reveal 0x1f… --wait 120")
def reveal(name: Name, /, *, wait: Wait = 0.0, common: Common = COMMON) -> None:
    """Check both escrows on your own nodes, then hand the secret to the resolver, who pays you."""
    from bmn.maker.evidence import NotYet, Unsafe
    from bmn.maker.reveal import HandedOver, reveal_to_resolver

    async def work(desk: "Desk") -> HandedOver:
        order = desk.load(name)

        async def attempt() -> HandedOver | NotYet | Unsafe:
            return await reveal_to_resolver(
                order, verify=desk.verifier(order), vault=desk.vault, resolver=desk.resolver
            )

        return await _insist(desk, attempt, wait)

    handed = _at_desk(work, common)
    paid_by = handed.verified.dst.address
    answer(
        {"handed_over": True, "dst_escrow": str(paid_by)},
        [f"both escrows are right; the secret was handed over; escrow {paid_by} pays you"],
        common,
    )


@app.command(help_epilogue="Example: bmn order withdraw 0x1f… --wait 120")
def withdraw(name: Name, /, *, wait: Wait = 0.0, common: Common = COMMON) -> None:
    """Pay yourself from the destination escrow, when the resolver does not: checks both escrows first."""
    from bmn.maker.evidence import NotYet, Unsafe
    from bmn.maker.reveal import Paid, reveal_by_payout

    async def work(desk: "Desk") -> Paid:
        order = desk.load(name)

        async def attempt() -> Paid | NotYet | Unsafe:
            return await reveal_by_payout(order, verify=desk.verifier(order), send=desk.sender(order.dst_chain))

        return await _insist(desk, attempt, wait)

    paid = _at_desk(work, common)
    answer({"transaction": str(paid.tx_hash)}, [f"paid in {paid.tx_hash}"], common)


def _at_desk(work: "Callable[[Desk], Awaitable[T]]", common: Common) -> T:
    from bmn.cli.desk import open_desk

    settings = read_settings(common)

    async def run() -> T:
        async with open_desk(settings) as desk:
            return await work(desk)

    return run_command(run(), common)


async def _terms(
    desk: "Desk", src: str, dst: str, give: str, get: str, deposit: str, expires_in: int, receiver: str | None
) -> "OrderTerms":
    from bmn.core.units import ZERO_ADDRESS, Address, UnixTime, Wei
    from bmn.maker.amounts import parse_amount
    from bmn.maker.create import OrderTerms, default_timelocks

    from_chain, to_chain = desk.chain_named(src), desk.chain_named(dst)
    margins = desk.pair_margins(from_chain.id, to_chain.id)
    src_token, making = desk.amount_of(give, from_chain)
    dst_token, taking = desk.amount_of(get, to_chain)
    stake = Wei(parse_amount(deposit, 18))
    src_head, dst_head = await _head(desk, from_chain.id), await _head(desk, to_chain.id)
    return OrderTerms(
        src=from_chain,
        dst=to_chain,
        src_token=src_token,
        dst_token=dst_token,
        making_amount=making,
        taking_amount=taking,
        timelocks=default_timelocks(margins),
        src_deposit=stake,
        dst_deposit=stake,
        expires_at=UnixTime(src_head.timestamp + expires_in),
        resolving_start=src_head.timestamp,
        src_block=src_head.number,
        dst_block=dst_head.number,
        receiver=ZERO_ADDRESS if receiver is None else Address.from_hex(receiver),
    )


async def _head(desk: "Desk", chain_id: "ChainId") -> "Head":
    from bmn.core.errors import ChainError
    from bmn.evm.types import BlockTag

    head = await desk.chains[chain_id].block(BlockTag.HEAD)
    if head is None:
        raise ChainError("RPC_BAD_ANSWER", f"{desk.specs[chain_id].name} has no newest block")
    return head


async def _submit(desk: "Desk", order: "MakerOrder") -> "OrderAccepted":
    from bmn.core.errors import Refused
    from bmn.maker.approve import approve_order

    signed = order.signed
    try:
        return await desk.resolver.submit_order(signed)
    except Refused as error:
        # Only an order that is wanted is worth an allowance, and its gas.
        if error.code != "MAKER_ALLOWANCE_TOO_LOW":
            raise
    receipt = await approve_order(
        order, desk.specs[order.src_chain], desk.sender(order.src_chain), also=await _promised(desk, order)
    )
    if receipt is not None:
        remark(f"allowance set in {receipt.tx_hash}")
    return await desk.resolver.submit_order(signed)


async def _promised(desk: "Desk", order: "MakerOrder") -> "TokenAmount":
    """Return what the maker's other open orders of the same token may still take."""
    from bmn.core.units import TokenAmount
    from bmn.maker.cancel import is_order_spent

    spec, sender = desk.specs[order.src_chain], desk.sender(order.src_chain)
    others = [
        other
        for other in desk.vault.list()
        if other.order_hash != order.order_hash
        and other.signature is not None
        and (other.src_chain, other.order.maker_asset) == (order.src_chain, order.order.maker_asset)
    ]
    return TokenAmount(
        sum([other.order.making_amount for other in others if not await is_order_spent(other, spec, sender)])
    )


async def _insist(desk: "Desk", attempt: "Callable[[], Awaitable[T | NotYet | Unsafe]]", seconds: float) -> T:
    """Try until the escrows are there and final.

    Raises:
        Refused: NOT_YET, or the code of what is wrong with the escrows.
    """
    from bmn.core.errors import Refused
    from bmn.maker.evidence import NotYet, Unsafe

    until = desk.clock.monotonic() + seconds
    while True:
        verdict = await attempt()
        if isinstance(verdict, Unsafe):
            raise Refused(verdict.code, verdict.detail, hint="keep the secret: you will be refunded")
        if not isinstance(verdict, NotYet):
            return verdict
        if desk.clock.monotonic() >= until:
            raise Refused("NOT_YET", f"not yet: {verdict.reason}", hint="try again soon, or with --wait SECONDS")
        await desk.clock.sleep(0.5)


def _tell(progress: "Progress", common: Common) -> None:
    from bmn.cli.documents import as_document

    lines = [f"resolver  {progress.resolver_state or 'no answer'} ({progress.resolver_reason})"]
    lines += [f"src       {progress.src_escrow}"] if progress.src_escrow else []
    lines += [f"dst       {progress.dst_escrow}"] if progress.dst_escrow else []
    lines += [f"paid      {progress.paid_in}"] if progress.paid_in else []
    lines += [f"refunded  {progress.refunded_in}"] if progress.refunded_in else []
    answer(as_document(progress), lines, common)
