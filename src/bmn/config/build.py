"""Settings to core types."""

import math
from collections.abc import Sequence
from decimal import Decimal

from bmn.config.settings import ChainSection, ContractsSection, Settings, TokenSection
from bmn.contracts.self_check import Needs
from bmn.core.acceptance import AcceptancePolicy, TokenRule
from bmn.core.chain import ChainSpec, Contracts
from bmn.core.errors import ConfigError
from bmn.core.escrow_address import create_address
from bmn.core.margins import ChainTiming, Margins
from bmn.core.units import NATIVE, Address, BlockNumber, Bps, ChainId, Seconds, TokenAmount, Wei
from bmn.evm.budget import Budget
from bmn.evm.types import Endpoint
from bmn.jobs.deps import Purse
from bmn.jobs.table import build_schedules
from bmn.pg.schedules import Schedule
from bmn.txmgr.fees import FeePolicy

_GAS_IN_STOCK = 2_000_000  # about ten transactions of ours


def build_specs(settings: Settings) -> dict[ChainId, ChainSpec]:
    """Return the chains, by id.

    Raises:
        ConfigError: CONFIG_INVALID, there is none.
    """
    if not settings.chains:
        raise ConfigError(
            "CONFIG_INVALID",
            "no chain is configured",
            hint="write [chains.NAME] blocks into bmn.toml, or use a development chain: bmn devnet up",
        )
    return {ChainId(chain.id): _spec(name, chain) for name, chain in settings.chains.items()}


def build_endpoints(name: str, chain: ChainSection) -> tuple[Endpoint, ...]:
    """Return the endpoints of chain `name`, in order of preference."""
    return tuple(
        Endpoint(
            name=endpoint.name or f"{name}-{number}",
            url=endpoint.url,
            ws_url=endpoint.ws,
            roles=endpoint.roles,
            budget=Budget(per_second=endpoint.per_second, per_day=endpoint.per_day),
        )
        for number, endpoint in enumerate(chain.rpc, start=1)
    )


def quorum_of(chain: ChainSection) -> int:
    """Return how many endpoints must agree."""
    return chain.quorum or chain.readers // 2 + 1


def build_margins(settings: Settings) -> dict[tuple[ChainId, ChainId], Margins]:
    """Return the margins of each configured pair (source, destination)."""
    margins = settings.margins
    pairs = [(settings.chains[pair.src], settings.chains[pair.dst]) for pair in settings.pairs]
    return {
        (ChainId(src.id), ChainId(dst.id)): Margins(
            src=_timing(src),
            dst=_timing(dst),
            detect=Seconds(margins.detect),
            recovery=Seconds(margins.recovery),
            skew=Seconds(margins.skew),
            min_reveal=Seconds(margins.min_reveal),
            max_lock=Seconds(margins.max_lock),
        )
        for src, dst in pairs
    }


def max_amount(token: TokenSection) -> TokenAmount:
    """Return the most of `token` that one order may move."""
    return TokenAmount(int(Decimal(token.max_amount).scaleb(token.decimals)))


def token_amounts(settings: Settings, chain: str) -> dict[Address, TokenAmount]:
    """Return the tokens we deal in on `chain`, each with the most of one order."""
    return {token.addresses[chain]: max_amount(token) for token in settings.tokens.values() if chain in token.addresses}


def build_pairs(settings: Settings) -> dict[tuple[ChainId, ChainId], AcceptancePolicy]:
    """Return what we trade, by (source, destination)."""
    specs = build_specs(settings)
    names = {spec.id: spec.name for spec in specs.values()}
    return {
        (src, dst): AcceptancePolicy(
            src=specs[src],
            dst=specs[dst],
            src_tokens=_token_rules(settings, names[src]),
            dst_tokens=_token_rules(settings, names[dst]),
            margins=margins,
            max_deposit=Wei(settings.limits.max_safety_deposit),
            min_margin=Bps(settings.limits.min_profit_bps),
        )
        for (src, dst), margins in build_margins(settings).items()
    }


def build_fee_policies(settings: Settings) -> dict[ChainId, FeePolicy]:
    """Return what transactions may cost on each chain."""
    return {
        ChainId(chain.id): FeePolicy(max_fee_per_gas=Wei(chain.max_fee_per_gas)) for chain in settings.chains.values()
    }


def plan_jobs(settings: Settings) -> list[Schedule]:
    """Return when each job runs.

    Raises:
        ConfigError: CONFIG_INVALID, times are given for a job that does not exist.
    """
    return build_schedules({job: (section.spec, section.zone) for job, section in settings.schedules.items()})


def build_purses(settings: Settings, operators: Sequence[Address]) -> list[Purse]:
    """Return what we hold on each chain, and the least that is enough.

    An operator pays for a few transactions at the highest price we ever pay; our contract has the deposit of an escrow,
    and where we pay makers, the largest amount of an order in each token.
    """
    deposit, purses = TokenAmount(settings.limits.max_safety_deposit), []
    for name, chain in settings.chains.items():
        gas = TokenAmount(_GAS_IN_STOCK * chain.max_fee_per_gas)
        ours = chain.contracts.resolver
        for number, operator in enumerate(operators, start=1):
            purses.append(_native_purse(chain, operator, f"operator-{number}", gas))
        purses.append(_native_purse(chain, ours, "resolver", deposit))
        pays = any(pair.dst == name for pair in settings.pairs)
        for symbol, token in settings.tokens.items():
            if name in token.addresses:
                purses.append(
                    Purse(
                        chain=ChainId(chain.id),
                        holder=ours,
                        role="resolver",
                        asset=symbol,
                        token=token.addresses[name],
                        decimals=token.decimals,
                        floor=max_amount(token) if pays else TokenAmount(0),
                    )
                )
    return purses


def _native_purse(chain: ChainSection, holder: Address, role: str, floor: TokenAmount) -> Purse:
    return Purse(
        chain=ChainId(chain.id), holder=holder, role=role, asset="native", token=NATIVE, decimals=18, floor=floor
    )


def build_needs(settings: Settings, chain: str, operators: tuple[Address, ...]) -> Needs:
    """Return what our Resolver on `chain` must allow us."""
    per_lock = token_amounts(settings, chain)
    deposit = settings.limits.max_safety_deposit
    per_lock[NATIVE] = TokenAmount(per_lock.get(NATIVE, TokenAmount(0)) + deposit)
    chain_id = ChainId(settings.chains[chain].id)
    margins = [margins.required for (_, dst), margins in build_margins(settings).items() if dst == chain_id]
    return Needs(
        operators=operators,
        per_lock=per_lock,
        least_margin=min(margins, default=None),
        is_source=any(pair.src == chain for pair in settings.pairs),
    )


def _token_rules(settings: Settings, chain: str) -> dict[Address, TokenRule]:
    return {
        token.addresses[chain]: TokenRule(
            symbol=symbol,
            decimals=token.decimals,
            max_amount=max_amount(token),
            micro_usd=None if token.usd is None else int(Decimal(token.usd).scaleb(6)),
        )
        for symbol, token in settings.tokens.items()
        if chain in token.addresses
    }


def _spec(name: str, chain: ChainSection) -> ChainSpec:
    return ChainSpec(
        name=name,
        id=ChainId(chain.id),
        block_time=chain.block_time,
        depth=chain.depth,
        start_block=BlockNumber(chain.start_block),
        contracts=_contracts(chain.contracts),
        domain_name=chain.contracts.domain_name,
        domain_version=chain.contracts.domain_version,
    )


def _contracts(section: ContractsSection) -> Contracts:
    return Contracts(
        factory=section.factory,
        src_implementation=section.src_implementation or create_address(section.factory, 1),
        dst_implementation=section.dst_implementation or create_address(section.factory, 2),
        limit_order_protocol=section.limit_order_protocol,
        resolver=section.resolver,
        access_token=section.access_token,
        noop_token=section.noop_token,
        rescue_delay_src=Seconds(section.rescue_delay_src),
        rescue_delay_dst=Seconds(section.rescue_delay_dst),
    )


def _timing(chain: ChainSection) -> ChainTiming:
    return ChainTiming(
        block_time=Seconds(math.ceil(chain.block_time)),
        depth=chain.depth,
        inclusion=Seconds(chain.inclusion),
        outage=Seconds(chain.outage),
    )
