"""A maker's desk: his key, his vault, his own nodes, and the resolver he deals with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bmn.app import open_chains
from bmn.cli.keys import read_password
from bmn.config.build import build_margins, build_specs
from bmn.config.keys import load_maker
from bmn.config.settings import MakerSection, Settings
from bmn.core.chain import ChainSpec
from bmn.core.errors import BadInput, ConfigError, NotFound
from bmn.core.margins import Margins
from bmn.core.units import Address, ChainId, OrderHash, TokenAmount
from bmn.evm.client import RpcChain
from bmn.evm.signer import LocalSigner
from bmn.maker.amounts import parse_amount
from bmn.maker.evidence import VerifyRules
from bmn.maker.send import SendDeps
from bmn.maker.vault import KEY_PURPOSE, MakerOrder, Vault
from bmn.maker.verify import VerifyDeps
from bmn.sdk.client import ResolverClient, open_resolver
from bmn.seams import SystemClock, SystemRng
from bmn.store.sealing import Sealer


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything `bmn order` works with."""

    settings: Settings
    specs: dict[ChainId, ChainSpec]
    margins: dict[tuple[ChainId, ChainId], Margins]
    chains: dict[ChainId, RpcChain]
    signer: LocalSigner
    vault: Vault
    resolver: ResolverClient
    clock: SystemClock

    def chain_named(self, name: str) -> ChainSpec:
        """Return a configured chain.

        Raises:
            NotFound: CHAIN_UNKNOWN.
        """
        found = [spec for spec in self.specs.values() if spec.name == name]
        if not found:
            known = ", ".join(spec.name for spec in self.specs.values())
            raise NotFound("CHAIN_UNKNOWN", f"no chain {name!r} is configured", hint=f"choose one of {known}")
        return found[0]

    def amount_of(self, text: str, chain: ChainSpec) -> tuple[Address, TokenAmount]:
        """Read `10.5 BMN` as token and amount on `chain`.

        Raises:
            BadInput: BAD_AMOUNT, TOO_MANY_DECIMALS.
            NotFound: TOKEN_UNKNOWN.
        """
        number, _, symbol = text.strip().partition(" ")
        token = self.settings.tokens.get(symbol.strip())
        if not symbol:
            raise BadInput("BAD_AMOUNT", f"{text!r:.80} names no token", hint='write the amount like "10.5 BMN"')
        if token is None or chain.name not in token.addresses:
            raise NotFound(
                "TOKEN_UNKNOWN",
                f"no token {symbol.strip()!r:.40} is configured on {chain.name}",
                hint=f"add it to [tokens] in bmn.toml, with its address on {chain.name}",
            )
        return token.addresses[chain.name], parse_amount(number, token.decimals)

    def pair_margins(self, src: ChainId, dst: ChainId) -> Margins:
        """Return the margins of a configured pair.

        Raises:
            NotFound: PAIR_UNKNOWN.
        """
        found = self.margins.get((src, dst))
        if found is None:
            raise NotFound(
                "PAIR_UNKNOWN",
                f"no pair from chain {src} to chain {dst} is configured",
                hint="add a [[pairs]] block to bmn.toml",
            )
        return found

    def load(self, order_hash: str) -> MakerOrder:
        """Return an order of the vault.

        Raises:
            BadInput: BAD_HEX.
            NotFound: as the vault.
        """
        return self.vault.load(OrderHash.from_hex(order_hash))

    def sender(self, chain_id: ChainId) -> SendDeps:
        """Return what sends the maker's transactions on a chain."""
        return SendDeps(
            chain=self.chains[chain_id], chain_id=chain_id, signer=self.signer, vault=self.vault, clock=self.clock
        )

    def verifier(self, order: MakerOrder) -> VerifyDeps:
        """Return what checks the escrows of an order on the maker's nodes.

        Raises:
            NotFound: PAIR_UNKNOWN.
        """
        src, dst = order.src_chain, order.dst_chain
        margins = self.pair_margins(src, dst)
        return VerifyDeps(
            src=self.chains[src],
            dst=self.chains[dst],
            rules=VerifyRules(src=self.specs[src], dst=self.specs[dst], margins=margins),
            clock=self.clock,
        )


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """Open key, vault, chains and resolver; asks for the password of the key if it must.

    Raises:
        ConfigError: no [maker] or no chains; the password file cannot be read.
        NotFound, BadInput, Refused: the key is missing, does not open, or is a dev key on a real chain.
    """
    maker = maker_section(settings)
    specs = build_specs(settings)
    password = "" if maker.dev_key is not None else read_password(maker.password_file)
    signer = await asyncio.to_thread(load_maker, settings, maker, specs, password)
    async with open_chains(settings) as chains, open_resolver(maker.resolver_url) as resolver:
        yield Desk(
            settings=settings,
            specs=specs,
            margins=build_margins(settings),
            chains=chains,
            signer=signer,
            vault=Vault(settings.home.absolute(), Sealer(signer.derive_key(KEY_PURPOSE), SystemRng())),
            resolver=resolver,
            clock=SystemClock(),
        )


def maker_section(settings: Settings) -> MakerSection:
    """Return `[maker]`.

    Raises:
        ConfigError: CONFIG_INVALID, there is none.
    """
    if settings.maker is None:
        raise ConfigError(
            "CONFIG_INVALID", "maker: missing", hint="write a [maker] block with resolver_url and account"
        )
    return settings.maker
