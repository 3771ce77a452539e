"""Margins: the time between two windows that leaves the claim possible through every fault we plan for."""

from dataclasses import dataclass

from bmn.core.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTiming:
    """What one chain can do to us in time; all lengths are of that chain's clock."""

    block_time: Seconds
    """Usual time between two blocks."""
    depth: int
    """Blocks on top of a block before we call it final."""
    inclusion: Seconds
    """Worst accepted time from broadcast to inclusion, fee bumps included."""
    outage: Seconds
    """How long the chain may stand still without a loss for us."""

    @property
    def finality(self) -> Seconds:
        """Time until a block is final."""
        return Seconds(self.depth * self.block_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """The margins of one pair of chains, in force for one swap."""

    src: ChainTiming
    dst: ChainTiming
    detect: Seconds
    """Time to see a reveal with the push path dead."""
    recovery: Seconds
    """Time for our own process to come back."""
    skew: Seconds
    """Largest difference between the clocks of the two chains (and ours) at which we still lock."""
    min_reveal: Seconds
    """Shortest time the maker must have between `T_dstWithdrawal` and `T_dstCancellation`."""
    max_lock: Seconds
    """Longest time any lock may last until its cancellation window opens."""

    @property
    def required(self) -> Seconds:
        """The `M` of money rule 2: what must lie between the end of the destination window and `T_srcCancellation`.

        Detection and recovery, inclusion of the claim, one re-inclusion after a reorg, outages of both chains,
        finality of the payout on the destination, difference of clocks.
        """
        return Seconds(
            self.detect
            + self.recovery
            + 2 * self.src.inclusion
            + self.src.finality
            + self.src.outage
            + self.dst.finality
            + self.dst.outage
            + self.skew
        )

    @property
    def pay_budget(self) -> Seconds:
        """The `B_pay`: time to get a destination payout mined, mined once more after a reorg, and final."""
        return Seconds(2 * self.dst.inclusion + self.dst.finality)

    @property
    def fill_to_lock(self) -> Seconds:
        """Worst time from the source fill to the inclusion of our lock, if nothing stalls."""
        return Seconds(self.src.finality + self.src.block_time + self.dst.inclusion)
