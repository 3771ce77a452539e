"""When a failed attempt is followed by the next: time and chance are values here."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmn.messages import DeployDstEscrow, WithdrawSrcEscrow, kind_of, policy_of
from bmn.pg.policy import RetryPolicy


@dataclass
class Chance:
    """Draws the same share of the range each time: 1 is the longest wait, 0 the shortest."""

    share: float = 1.0

    def token_bytes(self, size: int) -> bytes:
        return bytes(size)

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.share


DEPLOY = policy_of(kind_of(DeployDstEscrow))
CLAIM = policy_of(kind_of(WithdrawSrcEscrow))


@pytest.mark.parametrize(("attempt", "delay"), [(1, 5.0), (2, 10.0), (3, 20.0), (4, None), (5, None)])
def test_deploying_waits_5_10_20_seconds_and_is_then_given_up(attempt: int, delay: float | None) -> None:
    assert DEPLOY.next_delay(attempt, Chance()) == delay


@pytest.mark.parametrize(("share", "delay"), [(0.0, 4.0), (0.5, 4.5), (1.0, 5.0)])
def test_jitter_takes_off_at_most_its_share(share: float, delay: float) -> None:
    assert DEPLOY.next_delay(1, Chance(share)) == pytest.approx(delay)


@pytest.mark.parametrize(
    ("now", "deadline", "delay"),
    [
        (1000.0, 1005.0, 5.0),
        (1000.0, 1004.9, None),
        (1005.0, 1005.0, None),
        (2000.0, 1005.0, None),
        (1000.0, None, 5.0),
    ],
)
def test_no_retry_is_past_the_deadline(now: float, deadline: float | None, delay: float | None) -> None:
    assert DEPLOY.next_delay(1, Chance(), now=now, deadline=deadline) == delay


@pytest.mark.parametrize(("attempt", "delay"), [(1, 0.2), (2, 0.4), (5, 3.2), (6, 5.0), (1_000_000, 5.0)])
def test_a_claim_is_never_given_up_and_never_waits_long(attempt: int, delay: float) -> None:
    assert CLAIM.next_delay(attempt, Chance()) == pytest.approx(delay)


@pytest.mark.parametrize(("max_retries", "max_attempts"), [(None, None), (0, 1), (3, 4)])
def test_attempts_are_one_more_than_retries(max_retries: int | None, max_attempts: int | None) -> None:
    assert replace(DEPLOY, max_retries=max_retries).max_attempts == max_attempts


@given(
    st.builds(
        RetryPolicy,
        first=st.floats(0.001, 10),
        factor=st.floats(1, 10),
        longest=st.floats(0.001, 300),
        jitter=st.floats(0, 1),
        max_retries=st.none() | st.integers(0, 20),
    ),
    st.integers(1, 10_000),
    st.floats(0, 1),
)
def test_a_wait_is_bounded_and_the_number_of_retries_too(policy: RetryPolicy, attempt: int, share: float) -> None:
    delay = policy.next_delay(attempt, Chance(share))
    if policy.max_retries is not None and attempt > policy.max_retries:
        assert delay is None
    else:
        assert delay is not None
        assert 0 <= delay <= policy.longest
