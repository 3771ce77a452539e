"""Which state may follow which, whatever the chains take back.

A state is derived from facts, and a reorganisation may undo almost any fact: after one, even a swap that had ended goes
on. One fact stays: what a chain has told, it has told. So a state that needs a public secret is never followed by one
that needs a secret nobody but its maker, or we, can know; such a decision was made without its facts.
"""

from bmn.core.swap import State

NEEDS_PUBLIC_SECRET = frozenset({State.CLAIMED, State.SETTLED, State.LOSS})
"""An escrow was withdrawn, and that tells the secret."""

NEEDS_HIDDEN_SECRET = frozenset(
    {
        State.ACCEPTED,
        State.EXPIRED,
        State.SRC_LIVE,
        State.DST_LIVE,
        State.AWAIT_SECRET,
        State.SECRET_PRIVATE,
    }
)
"""Decided only while no chain has told the secret."""


def may_follow(before: State | None, after: State) -> bool:
    """Whether `after` may come next; `before` is None for a swap that begins."""
    if before is None:
        return after is State.ACCEPTED
    return not (before in NEEDS_PUBLIC_SECRET and after in NEEDS_HIDDEN_SECRET)
