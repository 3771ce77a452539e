"""The circuit breaker of an endpoint, as rules over values."""

from bmn.evm.breaker import (
    INSIST_EVERY,
    REST_FIRST,
    REST_MOST,
    Breaker,
    Phase,
    answered,
    begin,
    faulted,
    given_up,
    is_admitted,
    may_insist,
    phase_of,
)

OPEN = faulted(Breaker(), 100.0, reason="X")
LIMITED = faulted(Breaker(), 100.0, reason="X", retry_after=60.0)


def test_a_fresh_breaker_is_closed_and_admits_any_number() -> None:
    breaker = begin(begin(Breaker(), 1.0), 1.0)
    assert phase_of(breaker, 1.0) is Phase.CLOSED
    assert is_admitted(breaker, 1.0)


def test_a_fault_opens_it_until_the_last_second_of_the_rest() -> None:
    assert phase_of(OPEN, 100.0 + REST_FIRST - 0.001) is Phase.OPEN
    assert not is_admitted(OPEN, 100.0 + REST_FIRST - 0.001)
    assert phase_of(OPEN, 100.0 + REST_FIRST) is Phase.HALF_OPEN
    assert is_admitted(OPEN, 100.0 + REST_FIRST)


def test_after_the_rest_one_request_tries_and_no_second() -> None:
    tried = begin(OPEN, 101.0)
    assert not is_admitted(tried, 101.0)
    assert is_admitted(given_up(tried), 101.0)
    assert is_admitted(answered(tried, 102.0, begun=101.0), 102.0)


def test_an_answer_closes_it_and_forgets_the_faults() -> None:
    assert answered(begin(OPEN, 101.0), 102.0, begun=101.0) == Breaker()


def test_an_answer_under_way_before_the_fault_proves_nothing() -> None:
    assert answered(OPEN, 100.1, begun=99.9) == OPEN
    assert answered(OPEN, 100.1, begun=100.0) == Breaker()
    assert answered(OPEN, 100.0 + REST_FIRST, begun=99.9) == Breaker()


def test_failed_tries_double_the_rest_up_to_a_limit() -> None:
    breaker, now, rests = Breaker(), 0.0, []
    for _ in range(20):
        breaker = faulted(breaker, now, reason="X")
        rests.append(breaker.rests_until - now)
        now = breaker.rests_until
        breaker = begin(breaker, now)
    assert rests[:3] == [REST_FIRST, 2 * REST_FIRST, 4 * REST_FIRST]
    assert rests[-1] == REST_MOST


def test_requests_that_fail_together_are_one_fault() -> None:
    again = faulted(OPEN, 100.1, reason="Y")
    assert (again.faults, again.rests_until, again.reason) == (1, OPEN.rests_until, "X")


def test_the_endpoints_own_wish_lengthens_a_rest_and_never_shortens_one() -> None:
    assert LIMITED.rests_until == 160.0
    assert faulted(OPEN, 100.1, reason="Y", retry_after=60.0).rests_until == 160.1
    assert faulted(LIMITED, 101.0, reason="Y", retry_after=1.0).rests_until == 160.0
    assert faulted(Breaker(), 100.0, reason="X", retry_after=0.0).rests_until == 100.0 + REST_FIRST


def test_where_no_other_can_answer_a_resting_one_is_asked_all_the_same() -> None:
    assert may_insist(OPEN, 100.0)
    assert may_insist(begin(OPEN, 100.1), 100.1)


def test_one_that_asked_us_to_wait_is_insisted_on_once_in_a_while() -> None:
    assert not may_insist(LIMITED, 100.0 + INSIST_EVERY - 0.001)
    assert may_insist(LIMITED, 100.0 + INSIST_EVERY)
    insisted = begin(LIMITED, 110.0)
    assert not may_insist(insisted, 110.0 + INSIST_EVERY - 0.001)
    assert may_insist(insisted, 110.0 + INSIST_EVERY)
    assert may_insist(insisted, 160.0)
