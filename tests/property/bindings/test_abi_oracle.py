"""eth-abi, an independent encoder, agrees with every calldata builder and log decoder."""

from collections.abc import Sequence

from eth_abi.abi import encode as abi_encode
from hypothesis import given
from hypothesis import strategies as st
from tests.support.strategies import ADDRESSES, COMPLEMENTS, HASHES, IMMUTABLES, unsigned
from tests.support.swap_values import IMMUTABLES as ONE

from bmn.bindings import (
    create3_calls,
    escrow_calls,
    factory_calls,
    order_protocol_calls,
    resolver_calls,
    token_calls,
)
from bmn.bindings.abi import selector
from bmn.bindings.escrow_logs import (
    BIT_INVALIDATOR_UPDATED,
    DST_ESCROW_CREATED,
    DST_LOCKED,
    FUNDS_RESCUED,
    ORDER_CANCELLED,
    ORDER_FILLED,
    SRC_ESCROW_CREATED,
    TRANSFER,
    BitInvalidatorUpdated,
    DstEscrowCreated,
    DstLocked,
    FundsRescued,
    OrderCancelled,
    OrderFilled,
    RawLog,
    SrcEscrowCreated,
    Transfer,
    decode_log,
)
from bmn.core.compact_signature import CompactSignature
from bmn.core.immutables import DstComplement, Immutables
from bmn.core.order import Order, decode_order
from bmn.core.timelocks import pack_timelocks
from bmn.core.units import Address, Gas, Hash32, Hashlock, OrderHash, Seconds, Secret, TokenAmount, UnixTime

AMOUNTS = unsigned(256, TokenAmount)
MOMENTS = unsigned(256, UnixTime)
SECRETS = HASHES.map(Secret)
I_TYPE = "(bytes32,bytes32,uint256,uint256,uint256,uint256,uint256,uint256)"
O_TYPE = "(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256)"
C_TYPE = "(uint256,uint256,uint256,uint256,uint256)"


def _oracle(signature: str, *values: object) -> bytes:
    """Selector and arguments, none of them dynamic."""
    return selector(signature) + abi_encode([signature[signature.index("(") :]], [values])


def _dynamic(signature: str, values: Sequence[object]) -> bytes:
    """The same for dynamic arguments: they are a tuple without its outer offset."""
    return selector(signature) + abi_encode([signature[signature.index("(") :]], [values])[32:]


def _i(value: Immutables) -> tuple[object, ...]:
    return (
        value.order_hash,
        value.hashlock,
        value.maker.word,
        value.taker.word,
        value.token.word,
        value.amount,
        value.safety_deposit,
        pack_timelocks(value.timelocks),
    )


def _o(value: Order) -> tuple[int, ...]:
    return (
        value.salt,
        value.maker.word,
        value.receiver.word,
        value.maker_asset.word,
        value.taker_asset.word,
        value.making_amount,
        value.taking_amount,
        value.maker_traits,
    )


def _c(value: DstComplement) -> tuple[int, ...]:
    return (value.maker.word, value.amount, value.token.word, value.safety_deposit, value.chain_id)


@st.composite
def _orders(draw: st.DrawFn) -> Order:
    words = draw(st.lists(st.binary(min_size=20, max_size=20), min_size=8, max_size=8))
    return decode_order(b"".join(bytes(12) + word for word in words))


SIGNATURES = st.builds(CompactSignature, r=HASHES.map(Hash32), vs=HASHES.map(Hash32))


@given(IMMUTABLES, SECRETS, ADDRESSES, AMOUNTS)
def test_escrow_calls(immutables: Immutables, secret: Secret, address: Address, amount: TokenAmount) -> None:
    raw, i = secret.reveal(), _i(immutables)
    assert escrow_calls.build_withdraw(secret, immutables) == _oracle(f"withdraw(bytes32,{I_TYPE})", raw, i)
    assert escrow_calls.build_withdraw_to(secret, address, immutables) == _oracle(
        f"withdrawTo(bytes32,address,{I_TYPE})", raw, str(address), i
    )
    assert escrow_calls.build_public_withdraw(secret, immutables) == _oracle(
        f"publicWithdraw(bytes32,{I_TYPE})", raw, i
    )
    assert escrow_calls.build_cancel(immutables) == _oracle(f"cancel({I_TYPE})", i)
    assert escrow_calls.build_public_cancel(immutables) == _oracle(f"publicCancel({I_TYPE})", i)
    assert escrow_calls.build_rescue_funds(address, amount, immutables) == _oracle(
        f"rescueFunds(address,uint256,{I_TYPE})", str(address), amount, i
    )


@given(IMMUTABLES, MOMENTS)
def test_factory_calls(immutables: Immutables, at: UnixTime) -> None:
    i = _i(immutables)
    assert factory_calls.build_create_dst_escrow(immutables, at) == _oracle(f"createDstEscrow({I_TYPE},uint256)", i, at)
    assert factory_calls.build_address_of_escrow_src(immutables) == _oracle(f"addressOfEscrowSrc({I_TYPE})", i)
    assert factory_calls.build_address_of_escrow_dst(immutables) == _oracle(f"addressOfEscrowDst({I_TYPE})", i)


@given(ADDRESSES, ADDRESSES, AMOUNTS)
def test_token_calls(one: Address, other: Address, amount: TokenAmount) -> None:
    assert token_calls.build_balance_of(one) == _oracle("balanceOf(address)", str(one))
    assert token_calls.build_allowance(one, other) == _oracle("allowance(address,address)", str(one), str(other))
    assert token_calls.build_approve(one, amount) == _oracle("approve(address,uint256)", str(one), amount)
    assert token_calls.build_transfer(one, amount) == _oracle("transfer(address,uint256)", str(one), amount)


@given(HASHES.map(Hash32), st.binary(max_size=100), ADDRESSES)
def test_create3_calls(salt: Hash32, code: bytes, deployer: Address) -> None:
    assert create3_calls.build_deploy(salt, code) == _dynamic("deploy(bytes32,bytes)", (salt, code))
    assert create3_calls.build_get_deployed(deployer, salt) == _oracle(
        "getDeployed(address,bytes32)", str(deployer), salt
    )


@given(_orders(), SIGNATURES, AMOUNTS, unsigned(256, int), st.binary(max_size=100))
def test_order_protocol_calls(
    order: Order, signature: CompactSignature, amount: TokenAmount, traits: int, args: bytes
) -> None:
    assert order_protocol_calls.build_fill_order_args(order, signature, amount, traits, args) == _dynamic(
        f"fillOrderArgs({O_TYPE},bytes32,bytes32,uint256,uint256,bytes)",
        (_o(order), signature.r, signature.vs, amount, traits, args),
    )
    assert order_protocol_calls.build_hash_order(order) == _oracle(f"hashOrder({O_TYPE})", _o(order))
    assert order_protocol_calls.build_cancel_order(order.maker_traits, OrderHash(signature.r)) == _oracle(
        "cancelOrder(uint256,bytes32)", order.maker_traits, signature.r
    )
    assert order_protocol_calls.build_bit_invalidator_for_order(order.maker, traits) == _oracle(
        "bitInvalidatorForOrder(address,uint256)", str(order.maker), traits
    )


@given(IMMUTABLES, _orders(), SIGNATURES, AMOUNTS, unsigned(256, int), st.binary(max_size=100), MOMENTS)
def test_resolver_fill(
    immutables: Immutables,
    order: Order,
    signature: CompactSignature,
    amount: TokenAmount,
    traits: int,
    args: bytes,
    not_after: UnixTime,
) -> None:
    built = resolver_calls.build_deploy_src(
        immutables=immutables,
        order=order,
        signature=signature,
        amount=amount,
        taker_traits=traits,
        args=args,
        not_after=not_after,
    )
    assert built == _dynamic(
        f"deploySrc({I_TYPE},{O_TYPE},bytes32,bytes32,uint256,uint256,bytes,uint256)",
        (_i(immutables), _o(order), signature.r, signature.vs, amount, traits, args, not_after),
    )


@given(IMMUTABLES, SECRETS, MOMENTS, unsigned(256, Seconds), MOMENTS, ADDRESSES, AMOUNTS, st.booleans())
def test_resolver_calls(
    immutables: Immutables,
    secret: Secret,
    at: UnixTime,
    margin: Seconds,
    not_after: UnixTime,
    address: Address,
    amount: TokenAmount,
    flag: bool,
) -> None:
    raw, i = secret.reveal(), _i(immutables)
    built = resolver_calls.build_deploy_dst(
        immutables=immutables, src_cancellation=at, margin=margin, not_after=not_after
    )
    assert built == _oracle(f"deployDst({I_TYPE},uint256,uint256,uint256)", i, at, margin, not_after)
    assert resolver_calls.build_withdraw_dst(secret, immutables) == _oracle(f"withdrawDst(bytes32,{I_TYPE})", raw, i)
    assert resolver_calls.build_withdraw_src(secret, immutables) == _oracle(f"withdrawSrc(bytes32,{I_TYPE})", raw, i)
    assert resolver_calls.build_cancel_dst(immutables) == _oracle(f"cancelDst({I_TYPE})", i)
    assert resolver_calls.build_cancel_src(immutables) == _oracle(f"cancelSrc({I_TYPE})", i)
    assert resolver_calls.build_sweep(address, amount) == _oracle("sweep(address,uint256)", str(address), amount)
    assert resolver_calls.build_set_operator(address, allowed=flag) == _oracle(
        "setOperator(address,bool)", str(address), flag
    )
    assert resolver_calls.build_rescue(src=flag, immutables=immutables, token=address, amount=amount) == _oracle(
        f"rescue(bool,{I_TYPE},address,uint256)", flag, i, str(address), amount
    )
    assert resolver_calls.build_lock_of(immutables.hashlock) == _oracle("lockOf(bytes32)", immutables.hashlock)
    assert resolver_calls.build_is_operator(address) == _oracle("isOperator(address)", str(address))
    assert resolver_calls.build_limits(address) == _oracle("limits(address)", str(address))


@given(ADDRESSES, unsigned(128, TokenAmount), unsigned(128, TokenAmount), unsigned(32, Seconds))
def test_resolver_settings(token: Address, per_lock: TokenAmount, per_hour: TokenAmount, margin: Seconds) -> None:
    limit = resolver_calls.TokenLimit(per_lock=per_lock, per_hour=per_hour)
    assert resolver_calls.build_set_limit(token, limit) == _oracle(
        "setLimit(address,uint128,uint128)", str(token), per_lock, per_hour
    )
    assert resolver_calls.build_set_min_margin(margin) == _oracle("setMinMargin(uint32)", margin)


@given(st.lists(st.tuples(st.binary(max_size=100), unsigned(256, Gas)), max_size=5))
def test_resolver_batches(items: list[tuple[bytes, Gas]]) -> None:
    assert resolver_calls.build_try_batch(items) == _dynamic(
        "tryBatch(bytes[],uint256[])", ([call for call, _ in items], [gas for _, gas in items])
    )


@given(st.lists(st.booleans(), max_size=6))
def test_resolver_batch_answers(done: list[bool]) -> None:
    assert resolver_calls.decode_try_batch(abi_encode(["bool[]"], [done])) == tuple(done)


@given(IMMUTABLES, COMPLEMENTS, HASHES.map(Hash32), ADDRESSES, ADDRESSES, AMOUNTS, unsigned(256, int))
def test_logs(
    immutables: Immutables,
    complement: DstComplement,
    word: Hash32,
    one: Address,
    other: Address,
    amount: TokenAmount,
    number: int,
) -> None:
    def log(topic: bytes, indexed: Sequence[tuple[str, object]], plain: Sequence[tuple[str, object]]) -> object:
        topics = (topic, *(abi_encode([kind], [value]) for kind, value in indexed))
        data = abi_encode([kind for kind, _ in plain], [value for _, value in plain])
        return decode_log(RawLog(address=one, topics=topics, data=data))

    assert log(SRC_ESCROW_CREATED, (), ((I_TYPE, _i(immutables)), (C_TYPE, _c(complement)))) == SrcEscrowCreated(
        immutables=immutables, complement=complement
    )
    plain = (("address", str(one)), ("bytes32", word), ("uint256", other.word))
    assert log(DST_ESCROW_CREATED, (), plain) == DstEscrowCreated(escrow=one, hashlock=Hashlock(word), taker=other)
    rescued = (("address", str(other)), ("uint256", amount))
    assert log(FUNDS_RESCUED, (), rescued) == FundsRescued(token=other, amount=amount)
    filled = (("bytes32", word), ("uint256", amount))
    assert log(ORDER_FILLED, (), filled) == OrderFilled(order_hash=OrderHash(word), remaining=amount)
    assert log(ORDER_CANCELLED, (), (("bytes32", word),)) == OrderCancelled(order_hash=OrderHash(word))
    spent = (("uint256", number), ("uint256", amount))
    assert log(BIT_INVALIDATOR_UPDATED, (("address", str(one)),), spent) == BitInvalidatorUpdated(
        maker=one, slot=number, mask=amount
    )
    keys = (("bytes32", word), ("address", str(other)))
    assert log(DST_LOCKED, keys, ((I_TYPE, _i(immutables)),)) == DstLocked(
        hashlock=Hashlock(word), escrow=other, immutables=immutables
    )
    ends = (("address", str(one)), ("address", str(other)))
    assert log(TRANSFER, ends, (("uint256", amount),)) == Transfer(sender=one, receiver=other, amount=amount)


@given(st.binary(max_size=500), st.lists(HASHES, max_size=4))
def test_no_log_breaks_the_decoder(data: bytes, topics: list[bytes]) -> None:
    for known in (SRC_ESCROW_CREATED, DST_ESCROW_CREATED, DST_LOCKED, TRANSFER):
        decode_log(RawLog(address=ONE.maker, topics=(known, *topics)[:4], data=data))
