"""An explanation of a swap, in lines for a person: facts, windows, margin, and the decision they lead to."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bmn.core.timelocks import Stage

if TYPE_CHECKING:
    from bmn.core.facts import ChainTime, EscrowFacts, Facts, IntentState
    from bmn.core.margins import Margins
    from bmn.resolver.view import Explanation

_SRC_STAGES = (Stage.SRC_WITHDRAWAL, Stage.SRC_CANCELLATION, Stage.SRC_PUBLIC_CANCELLATION)
_DST_STAGES = (Stage.DST_WITHDRAWAL, Stage.DST_PUBLIC_WITHDRAWAL, Stage.DST_CANCELLATION)


def explain_lines(found: "Explanation") -> Iterator[str]:
    """Yield what the decision rests on, then the decision and the rule that made it."""
    facts, now, decision = found.gathered.facts, found.gathered.now, found.decision
    yield f"secret    {facts.secret.value}"
    yield from _escrow("src", facts.src, now.src, _SRC_STAGES)
    yield from _escrow("dst", facts.dst, now.dst, _DST_STAGES)
    yield from _margin(facts, found.policy.margins)
    sent = [f"{name} {state.value}" for name, state in _intents(facts) if state.value != "none"]
    yield f"intents   {', '.join(sent) or 'none'}"
    if facts.refusal is not None:
        yield f"refusal   {facts.refusal.value}"
    for event in found.foreign:
        yield (
            f"ignored   FOREIGN_FACTORY: {event.kind.value} by {event.emitter!s}, "
            f"chain {event.chain_id}, block {event.block_number}"
        )
    yield f"decision  {decision.state.value}, by rule {decision.reason}"
    yield f"wanted    {', '.join(action.value for action in decision.actions) or 'nothing'}"
    for side, wake, time in (("src", decision.wake_src, now.src), ("dst", decision.wake_dst, now.dst)):
        if wake is not None and not decision.state.is_terminal:
            yield f"wakes     when {side} reaches {wake}, {_away(wake, time)}"


def _escrow(side: str, escrow: "EscrowFacts | None", now: "ChainTime", stages: tuple[Stage, ...]) -> Iterator[str]:
    if escrow is None:
        yield f"{side:<9} no escrow of ours"
        return
    depth = "final" if escrow.created.final else "not final"
    ending = "open" if escrow.ended is None else escrow.ended.how.value
    if escrow.ended is not None:
        ending += f" in block {escrow.ended.seen.block}, {'final' if escrow.ended.seen.final else 'not final'}"
    yield f"{side:<9} {escrow.address!s}, block {escrow.created.block} ({depth}), {ending}"
    if escrow.ended is None:
        for stage in stages:
            opens = escrow.opens_at(stage)
            yield f"          {stage.name.lower()} opens at {opens}, {_away(opens, now)}"


def _margin(facts: "Facts", margins: "Margins") -> Iterator[str]:
    line = f"margin    {margins.required} s required between the ends of the windows"
    if facts.src is not None and facts.dst is not None:
        src_end = facts.src.opens_at(Stage.SRC_CANCELLATION)
        dst_end = max(facts.dst.opens_at(Stage.DST_CANCELLATION), facts.src.opens_at(Stage.SRC_WITHDRAWAL))
        line += f", {src_end - dst_end} s there"
    yield line


def _intents(facts: "Facts") -> list[tuple[str, "IntentState"]]:
    intents = facts.intents
    return [
        ("fill", intents.fill),
        ("lock", intents.lock),
        ("pay", intents.pay),
        ("claim", intents.claim),
        ("cancel_dst", intents.cancel_dst),
        ("cancel_src", intents.cancel_src),
    ]


def _away(moment: int, now: "ChainTime") -> str:
    seconds = moment - now.latest
    return f"in {seconds} s" if seconds > 0 else f"{-seconds} s ago"
