"""Counting equal answers of several endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bmn.core.errors import ChainError
from bmn.evm.failures import QUORUM_MISSING, CallReverted

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote(Generic[T]):
    """What one endpoint said."""

    name: str
    """Of the endpoint."""
    outcome: T | CallReverted | ChainError
    """A ChainError is no answer; a refusal of the contract is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[T]):
    """What the votes come to."""

    answer: T | CallReverted | ChainError
    """The quorum's answer, or QUORUM_MISSING."""
    odd: tuple[str, ...]
    """Endpoints that answered otherwise."""


def count_votes(votes: Sequence[Vote[T]], electorate: int, quorum: int) -> Result[T] | None:
    """Return the result once no vote still out can change it; None while one can.

    Two different answers with a quorum each are no quorum: doubt stops us.
    """
    camps: list[list[Vote[T]]] = []
    for vote in votes:
        if isinstance(vote.outcome, ChainError):
            continue
        camp = next((camp for camp in camps if camp[0].outcome == vote.outcome), None)
        if camp is None:
            camps.append([vote])
        else:
            camp.append(vote)
    camps.sort(key=len, reverse=True)
    first = len(camps[0]) if camps else 0
    second = len(camps[1]) if len(camps) > 1 else 0
    out = electorate - len(votes)
    if second >= quorum or first + out < quorum:
        odd = tuple(vote.name for camp in camps[1:] for vote in camp)
        return Result(answer=_missing(camps, votes, electorate, quorum), odd=odd)
    if first >= quorum and second + out < quorum:
        return Result(answer=camps[0][0].outcome, odd=tuple(vote.name for camp in camps[1:] for vote in camp))
    return None


def _missing(camps: list[list[Vote[T]]], votes: Sequence[Vote[T]], electorate: int, quorum: int) -> ChainError:
    parts = [" = ".join(vote.name for vote in camp) for camp in camps]
    said = " against ".join(parts) or "nobody answered"
    failed = [f"{vote.name} failed with {vote.outcome.code}" for vote in votes if isinstance(vote.outcome, ChainError)]
    return ChainError(
        QUORUM_MISSING,
        f"{quorum} equal answers of {electorate} endpoints are needed: " + ", ".join([said, *failed]),
        hint="see which endpoint lags or lies: bmn chain status",
    )
