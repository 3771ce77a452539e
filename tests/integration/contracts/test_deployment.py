from dataclasses import replace

import pytest
from tests.support.worlds import client_of

from bmn.bindings import resolver_calls, token_calls
from bmn.bindings.resolver_calls import TokenLimit
from bmn.config.build import build_needs, build_specs
from bmn.config.keys import operator_addresses
from bmn.config.load import load_settings
from bmn.config.settings import Settings
from bmn.contracts.deploy import Plan, deploy_contracts, predict_contracts, set_rules
from bmn.contracts.self_check import Needs, check_contracts
from bmn.contracts.sending import OneByOne
from bmn.core.chain import ChainSpec
from bmn.core.errors import ConfigError, Refused
from bmn.core.units import NATIVE, Address, ChainId, Seconds, TokenAmount
from bmn.devnet.world import OWNER_KEY, Devnet
from bmn.evm.devkeys import DEV_ADDRESSES, dev_signer
from bmn.evm.types import BlockTag
from bmn.seams import SystemClock

OWNER = DEV_ADDRESSES[OWNER_KEY]
PLAN = Plan(owner=OWNER, treasury=OWNER, token_holder=OWNER)
ALPHA = ChainId(31337)


def spec_and_needs(world: Devnet) -> tuple[ChainSpec, Needs]:
    settings: Settings = load_settings(world.config_path)
    assert settings.resolver
    return build_specs(settings)[ALPHA], build_needs(settings, "alpha", operator_addresses(settings.resolver))


async def check(world: Devnet, spec: ChainSpec, needs: Needs) -> str:
    async with client_of(world.chains[0]) as chain:
        with pytest.raises(ConfigError) as caught:
            await check_contracts(chain, spec, needs)
    return str(caught.value)


async def test_addresses_are_equal_on_both_chains_and_as_predicted(world: Devnet) -> None:
    alpha, beta = world.chains
    assert alpha.contracts == beta.contracts == predict_contracts(OWNER, PLAN)


async def test_deploying_again_sends_nothing(world: Devnet) -> None:
    async with client_of(world.chains[0]) as chain:
        before = await chain.nonce(OWNER, BlockTag.HEAD)
        sender = OneByOne(chain, dev_signer(OWNER_KEY, [ALPHA]), SystemClock())
        assert await deploy_contracts(sender, PLAN) == world.chains[0].contracts
        assert await chain.nonce(OWNER, BlockTag.HEAD) == before


async def test_another_release_has_other_addresses(world: Devnet) -> None:
    assert predict_contracts(OWNER, replace(PLAN, release="2")).factory != world.chains[0].contracts.factory


async def test_only_the_owner_sets_rules(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    async with client_of(world.chains[0]) as chain:
        stranger = OneByOne(chain, dev_signer(9, [ALPHA]), SystemClock())
        with pytest.raises(Refused, match="NotOwner"):
            await stranger.send(spec.contracts.resolver, resolver_calls.build_set_min_margin(Seconds(1)))
    assert needs.least_margin


async def test_the_deployed_world_passes_the_self_check(world: Devnet) -> None:
    settings = load_settings(world.config_path)
    assert settings.resolver
    for dev_chain in world.chains:
        needs = build_needs(settings, dev_chain.name, operator_addresses(settings.resolver))
        async with client_of(dev_chain) as chain:
            await check_contracts(chain, build_specs(settings)[dev_chain.anvil.chain_id], needs)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("factory", "there is no contract"),
        ("src_implementation", "source implementation"),
        ("dst_implementation", "destination implementation"),
        ("limit_order_protocol", "Resolver's order protocol"),
        ("resolver", "there is no contract"),
        ("access_token", "access tokens held"),
        ("noop_token", "there is no contract"),
    ],
)
async def test_each_wrong_address_is_named(world: Devnet, field: str, words: str) -> None:
    spec, needs = spec_and_needs(world)
    wrong = replace(spec, contracts=replace(spec.contracts, **{field: Address(b"\x99" * 20)}))  # type: ignore[arg-type] # a field by name
    text = await check(world, wrong, needs)
    assert text.startswith("CONTRACTS_WRONG")
    assert words in text


@pytest.mark.parametrize("field", ["rescue_delay_src", "rescue_delay_dst"])
async def test_a_wrong_rescue_delay_is_named(world: Devnet, field: str) -> None:
    spec, needs = spec_and_needs(world)
    wrong = replace(spec, contracts=replace(spec.contracts, **{field: Seconds(1)}))  # type: ignore[arg-type] # a field by name
    assert "rescue delay" in await check(world, wrong, needs)


async def test_swapped_implementations_are_found_by_their_code(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    there = spec.contracts
    swapped = replace(there, src_implementation=there.dst_implementation, dst_implementation=there.src_implementation)
    text = await check(world, replace(spec, contracts=swapped), needs)
    assert "not our EscrowSrc" in text
    assert "not our EscrowDst" in text
    assert "address of a sample source escrow" in text


async def test_another_signing_domain_is_refused(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    assert "EIP-712 domain" in await check(world, replace(spec, domain_version="5"), needs)


async def test_a_signer_that_is_no_operator_is_refused(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    assert "is operator" in await check(world, spec, replace(needs, operators=(DEV_ADDRESSES[9],)))


async def test_an_owner_that_signs_is_refused(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    assert "Resolver's owner" in await check(world, spec, replace(needs, operators=(OWNER,)))


async def test_limits_must_cover_the_largest_order_to_the_unit(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    most = TokenAmount(10 * 10**18)
    async with client_of(world.chains[0]) as chain:
        await check_contracts(chain, spec, replace(needs, per_lock={NATIVE: most}))
    assert "limit for" in await check(world, spec, replace(needs, per_lock={NATIVE: TokenAmount(most + 1)}))


async def test_the_policy_margin_must_reach_the_contracts(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    async with client_of(world.chains[0]) as chain:
        await check_contracts(chain, spec, replace(needs, least_margin=Seconds(10)))
    assert "least margin" in await check(world, spec, replace(needs, least_margin=Seconds(9)))


async def test_an_empty_stock_of_access_tokens_is_refused_on_source_chains_only(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    token = spec.contracts.access_token
    async with client_of(world.chains[0]) as chain:
        sender = OneByOne(chain, dev_signer(OWNER_KEY, [ALPHA]), SystemClock())
        answer = await chain.call(token, token_calls.build_balance_of(spec.contracts.resolver), BlockTag.HEAD)
        held = token_calls.decode_amount(answer)
        await sender.send(spec.contracts.resolver, resolver_calls.build_sweep(token, held))
        try:
            assert "access tokens" in await check(world, spec, needs)
            await check_contracts(chain, spec, replace(needs, is_source=False))
        finally:
            await sender.send(token, token_calls.build_transfer(spec.contracts.resolver, held))


async def test_the_wrong_chain_is_refused(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    assert (await check(world, replace(spec, id=ChainId(1)), needs)).startswith("WRONG_CHAIN")


async def test_the_factory_of_the_mission_is_refused_before_anything_is_asked(world: Devnet) -> None:
    spec, needs = spec_and_needs(world)
    mission = Address.from_hex("0x75ee15F6BfDd06Aee499ed95e8D92a114659f4d1")
    text = await check(world, replace(spec, contracts=replace(spec.contracts, factory=mission)), needs)
    assert text.startswith("FACTORY_REFUSED")
    assert "lost for ever" in text


async def test_rules_are_sent_only_where_they_are_missing(world: Devnet) -> None:
    from bmn.contracts.deploy import Rules, missing_rules

    spec, needs = spec_and_needs(world)
    resolver = spec.contracts.resolver
    rules = Rules(
        operators=needs.operators,
        limits={NATIVE: TokenLimit(per_lock=TokenAmount(10 * 10**18), per_hour=TokenAmount(0))},
        min_margin=Seconds(10),
    )
    async with client_of(world.chains[1]) as chain:
        assert await missing_rules(chain, resolver, rules) == ()
        stricter = replace(rules, min_margin=Seconds(11))
        assert await missing_rules(chain, resolver, stricter) == (resolver_calls.build_set_min_margin(Seconds(11)),)
        sender = OneByOne(chain, dev_signer(OWNER_KEY, [ChainId(31338)]), SystemClock())
        await set_rules(sender, resolver, stricter)
        assert await missing_rules(chain, resolver, stricter) == ()
