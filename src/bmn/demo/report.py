"""What the demonstration ends with: a table for each swap and a verdict, or the same as one JSON document."""

from collections.abc import Iterator
from dataclasses import dataclass

from bmn.core.units import Hashlock, OrderHash, TokenAmount, Wei
from bmn.demo.audit import Findings, Transaction
from bmn.maker.amounts import show_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One transaction of a swap."""

    name: str
    by: str
    """resolver or maker."""
    transaction: Transaction
    seconds: int
    """Chain seconds since the maker began; jumps where the story moves time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapReport:
    """One story's outcome."""

    story: str
    state: str
    reason: str
    order_hash: OrderHash
    hashlock: Hashlock
    gives: TokenAmount
    gets: TokenAmount
    steps: tuple[Step, ...]
    token_profit: int
    """Change of the resolver's BMN over both chains."""

    @property
    def gas_cost(self) -> Wei:
        """What the resolver paid for gas on both chains."""
        return Wei(sum(step.transaction.paid for step in self.steps if step.by == "resolver"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """The whole."""

    swaps: tuple[SwapReport, ...]
    findings: Findings
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every story ended as it should and every balance is right."""
        return not self.findings.wrong


def document(report: DemoReport) -> dict[str, object]:
    """Return the JSON form; amounts are decimal strings in the smallest unit."""
    return {
        "ok": report.ok,
        "swaps": [
            {
                "story": swap.story,
                "state": swap.state,
                "reason": swap.reason,
                "order_hash": str(swap.order_hash),
                "hashlock": str(swap.hashlock),
                "gives": str(swap.gives),
                "gets": str(swap.gets),
                "transactions": [
                    {
                        "step": step.name,
                        "by": step.by,
                        "chain": step.transaction.chain,
                        "hash": str(step.transaction.hash),
                        "block": step.transaction.block,
                        "gas": step.transaction.gas,
                        "seconds": step.seconds,
                    }
                    for step in swap.steps
                ],
                "profit": {"token": str(swap.token_profit), "wei": str(-swap.gas_cost)},
            }
            for swap in report.swaps
        ],
        "checks": {"compared": report.findings.compared, "wrong": report.findings.wrong},
        "seconds": round(report.seconds, 1),
    }


def lines(report: DemoReport) -> Iterator[str]:
    """Yield the table of each swap, fit for a terminal of 80 columns, and the verdict."""
    for swap in report.swaps:
        yield f"{swap.story}: {swap.state}"
        yield f"  order {swap.order_hash!s}"
        yield f"  the maker gives {show_amount(swap.gives, 18)} BMN and gets {show_amount(swap.gets, 18)} BMN"
        yield f"  {'step':<10} {'by':<9} {'chain':<6} {'block':>6} {'gas':>9} {'after':>7}"
        for step in swap.steps:
            tx = step.transaction
            yield f"  {step.name:<10} {step.by:<9} {tx.chain:<6} {tx.block:>6} {tx.gas:>9,} {step.seconds:>5} s"
            yield f"    {tx.hash!s}"
        yield f"  resolver's profit and loss: {swap.token_profit} BMN, {-swap.gas_cost} wei (gas)"
        yield ""
    yield verdict(report)


def verdict(report: DemoReport) -> str:
    """Return one sentence, and what is wrong if anything is."""
    if report.ok:
        return (
            f"All {len(report.swaps)} swaps ended as they should: {report.findings.compared} checks of balances and "
            f"transactions, read from both chains, are right to the wei ({report.seconds:.0f} s)."
        )
    return "Something is wrong:\n" + "\n".join(f"  {line}" for line in report.findings.wrong)
