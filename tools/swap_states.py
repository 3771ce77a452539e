"""Draw docs/swap-states.md: what the decision answers over every combination of facts and boundary times."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from tests.support.swap_facts import POLICY, before_fill, before_lock, both_there, contradicts, source_gone

from bmn.core.facts import ChainTimes, Facts
from bmn.core.swap import Decision, State, decide

TARGET = Path(__file__).parent.parent / "docs/swap-states.md"
_STRIDE = 5
"""Every fifth case: shares no factor with the sizes of most facts, and reaches every rule that all cases reach."""

_MEANING = {
    State.ACCEPTED: "The order is good; no fill was sent.",
    State.FILLING: "Our fill is wanted, under way, or being taken back.",
    State.SRC_LIVE: "Our fill made the source escrow; it is not to be locked against yet.",
    State.LOCKING: "Our lock on the destination is wanted or under way.",
    State.DST_LIVE: "Both escrows stand; one of them is not final.",
    State.AWAIT_SECRET: "Both escrows are final; the maker may hand over the secret.",
    State.SECRET_PRIVATE: "We hold the secret; no chain has shown it.",
    State.SECRET_PUBLIC: "A chain has shown the secret, or the maker is paid.",
    State.CLAIMED: "The source is claimed.",
    State.ABORT: "Nothing of ours is locked, and nothing will be: the maker gets his tokens back.",
    State.UNWIND: "The destination goes back to us, then the source to the maker.",
    State.SRC_GONE: "A reorganisation took the source escrow after our lock.",
    State.OWED: "The source is claimed and the maker is not paid: a person pays.",
    State.STRANDED: "Paid and not claimed in time: only a rescue remains, by a person.",
    State.SETTLED: "Paid and claimed, both final.",
    State.REFUNDED: "Everybody has his own back, finally.",
    State.ORDER_GONE: "The order can never be filled by us.",
    State.EXPIRED: "The order ran out before we filled it.",
    State.LOSS: "Paid, and the source given back: lost.",
}

_HEAD = """# States of a swap

Made by `make docs` from `bmn.core.swap.decide`; not edited by hand. Each row is one answer of the decision: where the
swap stands, which transactions are wanted (most urgent first), and the rule that says so. A state is derived from
facts each time, so almost any state may follow any other after a reorganisation ([but](state.md#swaps)). `T` marks
terminal states, `P` those in which only a person can go on.

| state | | wanted | reason |
|---|---|---|---|
"""


def _cases() -> Iterator[tuple[Facts, ChainTimes]]:
    return chain(before_fill(), before_lock(), source_gone(), both_there())


def collect(stride: int) -> dict[State, set[tuple[str, str]]]:
    """Return the wanted actions and reason of every answer met, by state."""
    answers: dict[State, set[tuple[str, str]]] = {state: set() for state in State}
    paused = replace(POLICY, accepting=False)
    for facts, now in islice(_cases(), 0, None, stride):
        if contradicts(facts):
            continue
        told = [decide(facts, now, POLICY)]
        if facts.dst is None:
            stale = replace(now, dst=replace(now.dst, fresh=False))
            told += [decide(facts, stale, POLICY), decide(facts, now, paused)]
        for decision in told:
            answers[decision.state].add((_wanted(decision), decision.reason))
    return answers


def draw() -> str:
    """Return the whole document."""
    rows = [
        f"| {state.value} | {_mark(state)} | {wanted} | {reason} |\n"
        for state, answers in collect(_STRIDE).items()
        for wanted, reason in sorted(answers, key=lambda answer: (answer[1], answer[0]))
    ]
    meanings = [f"- **{state.value}**: {meaning}\n" for state, meaning in _MEANING.items()]
    return _HEAD + "".join(rows) + "\n## Meaning\n\n" + "".join(meanings)


def _wanted(decision: Decision) -> str:
    return ", ".join(action.value for action in decision.actions) or "–"


def _mark(state: State) -> str:
    return "T" * state.is_terminal + "P" * state.needs_person


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")
