"""What the services know of one configured chain."""

from dataclasses import dataclass

from bmn.core.eip712 import Domain
from bmn.core.units import Address, BlockNumber, ChainId, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """Addresses of the contracts of one chain; checked against the chain at start."""

    factory: Address
    src_implementation: Address
    dst_implementation: Address
    limit_order_protocol: Address
    resolver: Address
    access_token: Address
    noop_token: Address
    rescue_delay_src: Seconds
    rescue_delay_dst: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSpec:
    """One configured chain."""

    name: str
    id: ChainId
    block_time: float
    """Usual seconds between two blocks; development chains may go below one."""
    depth: int
    """A block is final when this many blocks stand on top of it."""
    start_block: BlockNumber
    """First block the indexer reads."""
    contracts: Contracts
    domain_name: str
    domain_version: str

    @property
    def longest_lag(self) -> float:
        """Seconds after its last new head from which the journal of this chain counts as behind."""
        return max(3 * self.block_time, 3.0)

    @property
    def domain(self) -> Domain:
        """EIP-712 domain of the limit order protocol on this chain."""
        return Domain(
            name=self.domain_name,
            version=self.domain_version,
            chain_id=self.id,
            verifying_contract=self.contracts.limit_order_protocol,
        )
