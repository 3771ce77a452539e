"""What jobs are given."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bmn.core.chain import ChainSpec
from bmn.core.units import Address, ChainId, TokenAmount
from bmn.evm.client import ChainReader
from bmn.pg.kv import Kv
from bmn.pg.pool import Pool
from bmn.pg.wake import Wake
from bmn.seams import Clock


class Health(Protocol):
    """How one thing that we stand on is."""

    @property
    def healthy(self) -> bool:
        """Whether it can be relied on."""
        ...

    @property
    def detail(self) -> str:
        """Why, for people."""
        ...

    @property
    def head_age(self) -> float | None:
        """Chains: host seconds since the newest block was seen."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """Something we own on a chain and must not run out of."""

    chain: ChainId
    holder: Address
    role: str
    """For people and metrics: `resolver`, or `operator-1` and so on."""
    asset: str
    """For people and metrics: a symbol, or `native`."""
    token: Address
    """Zero: the native coin."""
    decimals: int
    floor: TokenAmount
    """Less is too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeps:
    """Everything the jobs touch."""

    pool: Pool
    kv: Kv
    wake: Wake
    clock: Clock
    instance: str
    """Names this process in the results of runs."""
    specs: Mapping[ChainId, ChainSpec]
    chains: Mapping[ChainId, ChainReader]
    purses: Sequence[Purse]
    check_components: Callable[[], Awaitable[Mapping[str, Health]]]
    """Each thing that we stand on, by name."""
