"""Laws of the circuit breaker, whatever happens in whatever order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bmn.evm.breaker import REST_MOST, Breaker, Phase, answered, begin, faulted, given_up, is_admitted, phase_of


class BreakerMachine(RuleBasedStateMachine):
    """Requests that are sent only while admitted, and end in any way and order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.closed: list[float] = []
        """Begin of requests sent while closed."""
        self.trial: float | None = None

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def send(self) -> None:
        if not is_admitted(self.breaker, self.now):
            return
        if phase_of(self.breaker, self.now) is Phase.HALF_OPEN:
            assert self.trial is None, "two trials at once"
            self.trial = self.now
        else:
            self.closed.append(self.now)
        self.breaker = begin(self.breaker, self.now)

    @precondition(lambda self: self.closed)
    @rule(fails=st.booleans())
    def end_an_old_one(self, *, fails: bool) -> None:
        self._end(self.closed.pop(0), fails=fails)
        self.trial = None if phase_of(self.breaker, self.now) is Phase.CLOSED or fails else self.trial

    @precondition(lambda self: self.trial is not None)
    @rule(fails=st.booleans())
    def end_the_trial(self, *, fails: bool) -> None:
        assert self.trial is not None
        begun, self.trial = self.trial, None
        self._end(begun, fails=fails)

    @precondition(lambda self: self.trial is not None)
    @rule()
    def give_the_trial_up(self) -> None:
        self.trial = None
        self.breaker = given_up(self.breaker)

    def _end(self, begun: float, *, fails: bool) -> None:
        if fails:
            self.breaker = faulted(self.breaker, self.now, reason="X")
            assert phase_of(self.breaker, self.now) is Phase.OPEN
        else:
            self.breaker = answered(self.breaker, self.now, begun=begun)

    @invariant()
    def no_rest_is_longer_than_the_longest(self) -> None:
        assert self.breaker.rests_until <= self.now + REST_MOST

    @invariant()
    def it_is_open_only_after_a_fault(self) -> None:
        assert (phase_of(self.breaker, self.now) is Phase.CLOSED) == (self.breaker.faults == 0)

    @invariant()
    def without_a_trial_under_way_every_rest_ends(self) -> None:
        if self.trial is None:
            assert is_admitted(self.breaker, self.now + REST_MOST)


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
