import itertools

import pytest

from bmn.core.errors import ChainError
from bmn.evm.failures import CallReverted
from bmn.evm.quorum import Vote, count_votes

DOWN = ChainError("RPC_UNREACHABLE", "no route")


def votes(*outcomes: str | ChainError | CallReverted) -> list[Vote[str]]:
    return [Vote(name=f"n{place}", outcome=outcome) for place, outcome in enumerate(outcomes)]


def test_nothing_is_decided_before_the_quorum_is_reached() -> None:
    assert count_votes(votes("x"), 3, 2) is None


def test_a_majority_quorum_is_decided_by_the_last_vote_it_needs() -> None:
    result = count_votes(votes("x", "x"), 3, 2)
    assert result is not None
    assert result.answer == "x"


def test_a_minority_quorum_waits_until_no_second_quorum_can_form() -> None:
    assert count_votes(votes("x", "x"), 4, 2) is None
    decided = count_votes(votes("x", "x", "y"), 4, 2)
    assert decided is None
    last = count_votes(votes("x", "x", "y", DOWN), 4, 2)
    assert last is not None
    assert (last.answer, last.odd) == ("x", ("n2",))


def test_two_answers_with_a_quorum_each_are_no_quorum() -> None:
    result = count_votes(votes("x", "x", "y", "y"), 4, 2)
    assert result is not None
    assert isinstance(result.answer, ChainError)
    assert result.answer.code == "QUORUM_MISSING"
    assert "n0 = n1 against n2 = n3" in result.answer.detail


def test_an_endpoint_that_fails_counts_for_nobody() -> None:
    result = count_votes(votes("x", DOWN, DOWN), 3, 2)
    assert result is not None
    assert isinstance(result.answer, ChainError)
    assert "n1 failed with RPC_UNREACHABLE" in result.answer.detail


def test_the_same_refusal_of_a_contract_is_an_agreement() -> None:
    result = count_votes(votes(CallReverted(b"no", detail="a"), CallReverted(b"no", detail="b")), 2, 2)
    assert result is not None
    assert isinstance(result.answer, CallReverted)
    different = count_votes(votes(CallReverted(b"no", detail="a"), CallReverted(b"never", detail="b")), 2, 2)
    assert different is not None
    assert isinstance(different.answer, ChainError)


@pytest.mark.parametrize("electorate", range(1, 6))
def test_the_order_of_votes_never_changes_a_decided_answer(electorate: int) -> None:
    for quorum in range(1, electorate + 1):
        for ballots in itertools.product(("x", "y", "down"), repeat=electorate):
            full: set[str] = set()
            for order in set(itertools.permutations(ballots)):
                cast = votes(*[DOWN if ballot == "down" else ballot for ballot in order])
                results = [count_votes(cast[:size], electorate, quorum) for size in range(electorate + 1)]
                decided = [result for result in results if result is not None]
                assert decided
                full |= {r.answer if isinstance(r.answer, str) else "missing" for r in decided}
            assert len(full) == 1
