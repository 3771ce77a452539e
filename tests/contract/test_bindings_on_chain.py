"""Calldata and answers against our contracts and the unmodified limit order protocol on a local chain."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from tests.support.swap_values import A_SECRET, ESCROW_ORDER, IMMUTABLES, TIMELOCKS
from tests.vector_runner import deployment
from tests.vector_runner.deployment import HOLDER, MAKER, OUTSIDER, OWNER, RESOLVER, Deployment
from tests.vector_runner.local_chain import LocalChain, Reverted, open_local_chain

from bmn.bindings import (
    create3_calls,
    escrow_calls,
    factory_calls,
    order_protocol_calls,
    resolver_calls,
    token_calls,
)
from bmn.bindings.abi import decode_revert
from bmn.bindings.artifacts import load_artifact, matches_artifact
from bmn.bindings.escrow_logs import (
    BitInvalidatorUpdated,
    DstEscrowCreated,
    DstLocked,
    EscrowCancelled,
    OrderCancelled,
    Transfer,
    decode_log,
)
from bmn.core.eip712 import order_hash
from bmn.core.escrow_address import clone_code, clone_init_code_hash, create2_address, create3_address, escrow_address
from bmn.core.escrow_order import FillKind, build_escrow_order
from bmn.core.hashing import keccak
from bmn.core.immutables import Immutables
from bmn.core.traits import unpack_maker_traits
from bmn.core.units import NATIVE, Address, Gas, Hash32, Seconds, TokenAmount, UnixTime, Wei

TAKER_CONTRACT = Address.from_hex("0x663F3ad617193148711d28f5334eE4Ed07016602")
BORN = UnixTime(1_700_000_000)
LATER = UnixTime(2**40)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    chain: LocalChain
    contracts: Deployment

    def ask(self, to: Address, calldata: bytes, sender: Address = OUTSIDER) -> bytes:
        return self.chain.simulate(sender, to, calldata)


@pytest.fixture(scope="module")
def deployed() -> Iterator[World]:
    with open_local_chain(8453) as chain:
        contracts = deployment.deploy(chain)
        deployment.deploy_resolver(chain, contracts, TAKER_CONTRACT, RESOLVER)
        yield World(chain=chain, contracts=contracts)


@pytest.fixture
def world(deployed: World) -> Iterator[World]:
    with deployed.chain.undone():
        yield deployed


def _code(world: World, address: Address) -> bytes:
    return bytes.fromhex(world.chain.rpc("eth_getCode", str(address), "latest")[2:])


def _dst(world: World) -> Immutables:
    return replace(IMMUTABLES, maker=MAKER, taker=TAKER_CONTRACT, token=world.contracts.token)


def _lock_calldata(immutables: Immutables) -> bytes:
    return resolver_calls.build_deploy_dst(
        immutables=immutables, src_cancellation=LATER, margin=Seconds(0), not_after=LATER
    )


def test_deployed_code_is_the_shipped_contract(world: World) -> None:
    for name, address in (
        ("Resolver", TAKER_CONTRACT),
        ("EscrowFactory", world.contracts.factory),
        ("EscrowSrc", world.contracts.src_implementation),
        ("EscrowDst", world.contracts.dst_implementation),
        ("BmnToken", world.contracts.token),
    ):
        assert matches_artifact(_code(world, address), load_artifact(name))
        assert not matches_artifact(_code(world, address), load_artifact("NoopToken"))


def test_the_factory_names_its_implementations_and_they_name_it(world: World) -> None:
    factory = world.contracts.factory
    for ask, implementation, delay in (
        (factory_calls.ESCROW_SRC_IMPLEMENTATION, world.contracts.src_implementation, 604_800),
        (factory_calls.ESCROW_DST_IMPLEMENTATION, world.contracts.dst_implementation, 691_200),
    ):
        assert factory_calls.decode_implementation(world.ask(factory, ask)) == implementation
        answer = world.ask(implementation, escrow_calls.FACTORY)
        assert escrow_calls.decode_factory(answer) == factory
        assert escrow_calls.decode_rescue_delay(world.ask(implementation, escrow_calls.RESCUE_DELAY)) == delay
        answer = world.ask(implementation, escrow_calls.PROXY_BYTECODE_HASH)
        assert escrow_calls.decode_proxy_bytecode_hash(answer) == clone_init_code_hash(implementation)


def test_the_factory_derives_the_same_addresses(world: World) -> None:
    factory = world.contracts.factory
    for build, implementation in (
        (factory_calls.build_address_of_escrow_src, world.contracts.src_implementation),
        (factory_calls.build_address_of_escrow_dst, world.contracts.dst_implementation),
    ):
        answer = factory_calls.decode_escrow_address(world.ask(factory, build(IMMUTABLES)))
        assert answer == escrow_address(factory=factory, implementation=implementation, immutables=IMMUTABLES)


def test_the_order_protocol_hashes_orders_the_same_way(world: World) -> None:
    lop = world.contracts.lop
    domain = order_protocol_calls.decode_domain(world.ask(lop, order_protocol_calls.EIP712_DOMAIN))
    assert (domain.name, domain.version) == ("1inch Limit Order Protocol", "4")
    assert (domain.chain_id, domain.verifying_contract) == (8453, lop)
    order, _ = build_escrow_order(ESCROW_ORDER)
    answer = world.ask(lop, order_protocol_calls.build_hash_order(order))
    assert order_protocol_calls.decode_order_hash(answer) == order_hash(domain, order)


def test_cancelling_a_single_fill_order_spends_its_nonce(world: World) -> None:
    lop = world.contracts.lop
    order, _ = build_escrow_order(replace(ESCROW_ORDER, maker=MAKER, nonce=300))
    traits = unpack_maker_traits(order.maker_traits)
    spent = order_protocol_calls.build_bit_invalidator_for_order(MAKER, traits.nonce)
    assert order_protocol_calls.decode_bit_invalidator(world.ask(lop, spent)) == 0
    cancel = order_protocol_calls.build_cancel_order(order.maker_traits, IMMUTABLES.order_hash)
    (log,) = world.chain.must(MAKER, lop, cancel).logs
    assert decode_log(log) == BitInvalidatorUpdated(maker=MAKER, slot=1, mask=traits.nonce_mask)
    assert order_protocol_calls.decode_bit_invalidator(world.ask(lop, spent)) == traits.nonce_mask


def test_cancelling_an_order_in_parts_spends_its_hash(world: World) -> None:
    order, _ = build_escrow_order(replace(ESCROW_ORDER, kind=FillKind.MULTI))
    cancel = order_protocol_calls.build_cancel_order(order.maker_traits, IMMUTABLES.order_hash)
    (log,) = world.chain.must(MAKER, world.contracts.lop, cancel).logs
    assert decode_log(log) == OrderCancelled(order_hash=IMMUTABLES.order_hash)


def test_reads_how_the_resolver_is_set_up(world: World) -> None:
    def ask(calldata: bytes) -> bytes:
        return world.ask(TAKER_CONTRACT, calldata)

    for name, expected in (
        (resolver_calls.OWNER, OWNER),
        (resolver_calls.TREASURY, OWNER),
        (resolver_calls.LOP, world.contracts.lop),
        (resolver_calls.FACTORY, world.contracts.factory),
    ):
        assert resolver_calls.decode_account(ask(name)) == expected
    assert resolver_calls.decode_is_operator(ask(resolver_calls.build_is_operator(RESOLVER)))
    assert not resolver_calls.decode_is_operator(ask(resolver_calls.build_is_operator(OUTSIDER)))
    assert resolver_calls.decode_limits(ask(resolver_calls.build_limits(OUTSIDER))).per_lock == 0


def test_changes_how_the_resolver_is_set_up(world: World) -> None:
    limit = resolver_calls.TokenLimit(per_lock=TokenAmount(5), per_hour=TokenAmount(9))
    for calldata in (
        resolver_calls.build_set_limit(OUTSIDER, limit),
        resolver_calls.build_set_min_margin(Seconds(60)),
        resolver_calls.build_set_operator(RESOLVER, allowed=False),
        resolver_calls.PAUSE,
    ):
        world.chain.must(OWNER, TAKER_CONTRACT, calldata)
    assert resolver_calls.decode_limits(world.ask(TAKER_CONTRACT, resolver_calls.build_limits(OUTSIDER))) == limit
    assert resolver_calls.decode_min_margin(world.ask(TAKER_CONTRACT, resolver_calls.MIN_MARGIN)) == 60
    assert resolver_calls.decode_paused(world.ask(TAKER_CONTRACT, resolver_calls.PAUSED))
    operator = world.ask(TAKER_CONTRACT, resolver_calls.build_is_operator(RESOLVER))
    assert not resolver_calls.decode_is_operator(operator)
    world.chain.must(OWNER, TAKER_CONTRACT, resolver_calls.UNPAUSE)
    assert not resolver_calls.decode_paused(world.ask(TAKER_CONTRACT, resolver_calls.PAUSED))


def test_a_lock_is_where_we_derive_it_and_is_remembered(world: World) -> None:
    unlocked = _dst(world)
    born = replace(unlocked, timelocks=TIMELOCKS.deployed(BORN))
    implementation = world.contracts.dst_implementation
    escrow = escrow_address(factory=world.contracts.factory, implementation=implementation, immutables=born)
    lock_of = resolver_calls.build_lock_of(unlocked.hashlock)
    assert resolver_calls.decode_lock(world.ask(TAKER_CONTRACT, lock_of)) is None
    outcome = world.chain.must(RESOLVER, TAKER_CONTRACT, _lock_calldata(unlocked), at=BORN)
    events = [decode_log(log) for log in outcome.logs]
    token = world.contracts.token
    assert Transfer(sender=TAKER_CONTRACT, receiver=escrow, amount=born.amount) in events
    assert DstEscrowCreated(escrow=escrow, hashlock=born.hashlock, taker=TAKER_CONTRACT) in events
    assert events[-1] == DstLocked(hashlock=born.hashlock, escrow=escrow, immutables=born)
    assert _code(world, escrow) == clone_code(implementation)
    balance = token_calls.decode_amount(world.ask(token, token_calls.build_balance_of(escrow)))
    assert balance == born.amount
    lock = resolver_calls.decode_lock(world.ask(TAKER_CONTRACT, lock_of))
    assert lock == resolver_calls.Lock(escrow=escrow, at=BORN)


def test_a_second_lock_says_where_the_first_is(world: World) -> None:
    world.chain.must(RESOLVER, TAKER_CONTRACT, _lock_calldata(_dst(world)), at=BORN)
    lock = resolver_calls.decode_lock(world.ask(TAKER_CONTRACT, resolver_calls.build_lock_of(IMMUTABLES.hashlock)))
    assert lock is not None
    with pytest.raises(Reverted) as refused:
        world.ask(TAKER_CONTRACT, _lock_calldata(_dst(world)), sender=RESOLVER)
    reason = decode_revert(refused.value.data)
    assert reason == f"AlreadyLocked({IMMUTABLES.hashlock}, 0x{lock.escrow.hex()})"


def test_one_item_of_a_batch_may_fail(world: World) -> None:
    unlocked = _dst(world)
    world.chain.must(RESOLVER, TAKER_CONTRACT, _lock_calldata(unlocked), at=BORN)
    born = replace(unlocked, timelocks=TIMELOCKS.deployed(BORN))
    early = UnixTime(BORN + TIMELOCKS.dst_withdrawal)
    other = replace(born, amount=TokenAmount(1))
    batch = resolver_calls.build_try_batch(
        [
            (resolver_calls.build_cancel_src(born), Gas(200_000)),
            (resolver_calls.build_withdraw_dst(A_SECRET, born), Gas(200_000)),
            (resolver_calls.build_withdraw_dst(A_SECRET, other), Gas(200_000)),
        ]
    )
    answer = world.chain.simulate(RESOLVER, TAKER_CONTRACT, batch, at=early)
    assert resolver_calls.decode_try_batch(answer) == (False, True, False)


def test_cancelling_gives_back_after_the_window(world: World) -> None:
    unlocked = _dst(world)
    world.chain.must(RESOLVER, TAKER_CONTRACT, _lock_calldata(unlocked), at=BORN)
    born = replace(unlocked, timelocks=TIMELOCKS.deployed(BORN))
    cancel = resolver_calls.build_cancel_dst(born)
    opens = UnixTime(BORN + TIMELOCKS.dst_cancellation)
    with pytest.raises(Reverted) as early:
        world.chain.simulate(RESOLVER, TAKER_CONTRACT, cancel, at=UnixTime(opens - 1))
    assert decode_revert(early.value.data) == "InvalidTime()"
    outcome = world.chain.must(RESOLVER, TAKER_CONTRACT, cancel, at=opens)
    assert EscrowCancelled() in [decode_log(log) for log in outcome.logs]


def test_sweeping_and_rescuing_reach_the_contract(world: World) -> None:
    before = world.chain.balance(OWNER)
    world.chain.must(RESOLVER, TAKER_CONTRACT, resolver_calls.build_sweep(NATIVE, TokenAmount(7)))
    assert world.chain.balance(OWNER) == before + 7
    unlocked = _dst(world)
    world.chain.must(RESOLVER, TAKER_CONTRACT, _lock_calldata(unlocked), at=BORN)
    born = replace(unlocked, timelocks=TIMELOCKS.deployed(BORN))
    rescue = resolver_calls.build_rescue(src=False, immutables=born, token=NATIVE, amount=TokenAmount(1))
    held = world.chain.balance(TAKER_CONTRACT)
    world.chain.must(OWNER, TAKER_CONTRACT, rescue, at=UnixTime(BORN + 691_200))
    assert world.chain.balance(TAKER_CONTRACT) == held + 1


def test_token_answers_are_read(world: World) -> None:
    token = world.contracts.token
    assert token_calls.decode_decimals(world.ask(token, token_calls.DECIMALS)) == 18
    assert token_calls.decode_symbol(world.ask(token, token_calls.SYMBOL)) == "BMN"
    world.chain.must(MAKER, token, token_calls.build_approve(HOLDER, TokenAmount(3)))
    allowance = world.ask(token, token_calls.build_allowance(MAKER, HOLDER))
    assert token_calls.decode_amount(allowance) == 3


def test_create3_puts_contracts_where_we_derive_them(world: World) -> None:
    salt, code = Hash32(bytes(32)), load_artifact("Create3Factory").bytecode
    factory = create2_address(deployer=create3_calls.CREATE2_DEPLOYER, salt=salt, init_code_hash=Hash32(keccak(code)))
    world.chain.must(MAKER, create3_calls.CREATE2_DEPLOYER, create3_calls.build_create2(salt, code))
    assert matches_artifact(_code(world, factory), load_artifact("Create3Factory"))
    expected = create3_address(create3_factory=factory, deployer=MAKER, salt=Hash32(b"\7" * 32))
    asked = world.ask(factory, create3_calls.build_get_deployed(MAKER, Hash32(b"\7" * 32)))
    assert create3_calls.decode_deployed(asked) == expected
    noop = load_artifact("NoopToken")
    world.chain.must(MAKER, factory, create3_calls.build_deploy(Hash32(b"\7" * 32), noop.bytecode))
    assert _code(world, expected) == noop.deployed_bytecode


def test_value_of_the_deposit_is_taken_from_the_resolver(world: World) -> None:
    before = world.chain.balance(TAKER_CONTRACT)
    costly = replace(_dst(world), safety_deposit=Wei(123))
    world.chain.must(RESOLVER, TAKER_CONTRACT, _lock_calldata(costly), at=BORN)
    assert world.chain.balance(TAKER_CONTRACT) == before - 123
