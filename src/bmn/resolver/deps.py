"""What the resolver is given."""

from collections.abc import Mapping
from dataclasses import dataclass

from bmn.core.acceptance import AcceptancePolicy
from bmn.core.chain import ChainSpec
from bmn.core.errors import ConfigError
from bmn.core.swap import Policy
from bmn.core.units import ChainId
from bmn.evm.client import ChainClient
from bmn.pg.pool import Pool
from bmn.pg.wake import Wake
from bmn.seams import Clock, Rng
from bmn.store.sealing import Sealer


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverDeps:
    """Everything the resolver touches."""

    pool: Pool
    chains: Mapping[ChainId, ChainClient]
    specs: Mapping[ChainId, ChainSpec]
    pairs: Mapping[tuple[ChainId, ChainId], AcceptancePolicy]
    """By (source, destination)."""
    accepting: bool
    """False: no new fills and locks; everything else goes on."""
    sealer: Sealer
    wake: Wake
    clock: Clock
    rng: Rng

    def policy(self, src: ChainId, dst: ChainId) -> Policy:
        """Return the policy of a pair.

        Raises:
            ConfigError: `PAIR_MISSING`: a swap is open between chains that are not configured any more.
        """
        pair = self.pairs.get((src, dst))
        if pair is None:
            raise ConfigError(
                "PAIR_MISSING",
                f"a swap from chain {src} to chain {dst} is open, but that pair is not configured",
                hint="put the [[pairs]] block back until its swaps are finished",
            )
        return Policy(margins=pair.margins, accepting=self.accepting)
