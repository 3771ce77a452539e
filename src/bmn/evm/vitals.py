"""What is known of one endpoint while we run, and its door: who may go in, how many at once, how often.

The rules are in `breaker`, `budget`, `width` and `preference`; this keeps their values and tells the time.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from bmn.core.errors import ChainError
from bmn.evm import breaker as breakers
from bmn.evm.breaker import Breaker, Phase, phase_of
from bmn.evm.budget import UNLIMITED, Budget, Spending, is_day_spent, pause_before, spend
from bmn.evm.failures import BAD_ANSWER, OWN_QUEUE, RATE_LIMITED, UNREACHABLE, WRONG_CHAIN, RateLimited
from bmn.evm.preference import HEDGE_UNKNOWN, Figures, cost_of, faded, hedge_after, smooth
from bmn.evm.width import WIDTH_FIRST, is_slow, width_after_answer, width_after_refusal
from bmn.seams import Clock

_FAULTS: Final = {UNREACHABLE, BAD_ANSWER, RATE_LIMITED, WRONG_CHAIN}
_SAMPLES: Final = 128
"""Answers of each method from which percentiles are taken."""
_OF_THEIR_SIZE: Final = {"eth_getLogs"}
"""How long these take tells about the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointReport:
    """One endpoint as a person wants to see it."""

    chain: str
    endpoint: str
    """Its name."""
    state: str
    """closed: in use; open: resting; half-open: to be tried."""
    reason: str
    """Code of the fault it rests for, `DAY_SPENT`, or empty."""
    rests_for: float
    """Seconds until it is tried again."""
    head: int | None
    """Newest block it told of."""
    lag: int
    """Blocks it was behind the newest of all then."""
    latency_ms: float | None
    """Smoothed time of a light answer; None before the first."""
    errors: float
    """Smoothed share of requests that failed, 0 to 1."""
    calls_hour: int
    """Calls of the last 60 minutes, each of a batch counted."""
    calls_day: int
    """Calls of this UTC day since we started."""
    in_flight: int
    """Requests under way."""
    width: int
    """Most requests at once."""


class Vitals:
    """The state of one endpoint; whoever sends goes through `enter` and `leave`."""

    def __init__(self, clock: Clock, budget: Budget = UNLIMITED) -> None:
        self.head: int | None = None
        """Newest block it told of."""
        self.lag = 0
        """Blocks it was behind the newest of all then."""
        self._clock = clock
        self._budget = budget
        self._spending = Spending()
        self._breaker = Breaker()
        self._figures = Figures(at=clock.monotonic())
        self._width = WIDTH_FIRST
        self._in_flight = 0
        self._turns: deque[asyncio.Future[None]] = deque()
        self._quickest: dict[str, float] = {}
        self._samples: dict[str, deque[float]] = {}
        self._minutes: deque[tuple[int, int]] = deque()

    # The door.

    async def enter(self, calls: int, *, is_urgent: bool) -> None:
        """Return when a request of `calls` may go out, an urgent one at once. Then call `leave`, whatever happens."""
        if is_urgent:
            self._in_flight += 1
        else:
            await self._take_turn()
        now, utc = self._clock.monotonic(), self._clock.now()
        pause = 0.0 if is_urgent else pause_before(self._budget, self._spending, now)
        self._spending = spend(self._budget, self._spending, calls, now=now, utc=utc)
        self._count(calls, now)
        if pause > 0:
            try:
                await self._clock.sleep(pause)
            except asyncio.CancelledError:
                self.leave()
                raise

    def leave(self) -> None:
        """End a request."""
        self._in_flight -= 1
        while self._turns and self._in_flight < int(self._width):
            turn = self._turns.popleft()
            if not turn.done():
                self._in_flight += 1  # on behalf of whoever waits there
                turn.set_result(None)

    async def _take_turn(self) -> None:
        if not self._turns and self._in_flight < int(self._width):
            self._in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave()  # the turn had come
            raise

    # What requests showed.

    def timed(self, method: str, seconds: float, *, calls: int) -> None:
        """Note how long an answer took, before `leave`."""
        slow = False
        if calls == 1 and method not in _OF_THEIR_SIZE:
            quickest = self._quickest[method] = min(self._quickest.get(method, seconds), seconds)
            slow = is_slow(seconds, quickest)
            figures = faded(self._figures, self._clock.monotonic())
            self._figures = replace(figures, seconds=smooth(figures.seconds, seconds) if self._samples else seconds)
        self._samples.setdefault(method, deque(maxlen=_SAMPLES)).append(seconds)
        self._width = width_after_answer(self._width, in_flight=self._in_flight, slow=slow)

    def outwaited(self, method: str, seconds: float) -> None:
        """Note that nobody waited longer than `seconds`: without the hedges it lost, it would look fast."""
        if seconds > self.hedge_after(method):
            self._samples.setdefault(method, deque(maxlen=_SAMPLES)).append(seconds)

    def ended(self, error: ChainError | None) -> None:
        """Note how a request ended, None for well: for the share of errors and for how many go out at once."""
        failed = error is not None and error.code in _FAULTS
        figures = faded(self._figures, self._clock.monotonic())
        self._figures = replace(figures, errors=smooth(figures.errors, 1.0 if failed else 0.0))
        if isinstance(error, RateLimited):
            self._width = width_after_refusal(self._width)

    def told_of(self, head: int, newest: int) -> None:
        """Note that the endpoint reported block `head` as its newest while the newest of all was `newest`."""
        self.head, self.lag = head, max(newest - head, 0)
        self._figures = replace(faded(self._figures, self._clock.monotonic()), lag=float(self.lag))

    # Whether to ask it.

    @property
    def phase(self) -> Phase:
        """Of its circuit breaker."""
        return phase_of(self._breaker, self._clock.monotonic())

    @property
    def is_admitted(self) -> bool:
        """Whether it may be asked as usual."""
        return breakers.is_admitted(self._breaker, self._clock.monotonic())

    @property
    def is_day_spent(self) -> bool:
        """Whether its calls of the day are used up."""
        return is_day_spent(self._budget, self._spending, self._clock.now())

    @property
    def rests_until(self) -> float:
        """End of its last rest, in monotonic seconds."""
        return self._breaker.rests_until

    @property
    def cost(self) -> float:
        """See `preference.cost_of`."""
        return cost_of(self._figures, self._clock.monotonic())

    def hedge_after(self, method: str) -> float:
        """Return the seconds after which a second endpoint is asked the same."""
        samples = self._samples.get(method)
        return HEDGE_UNKNOWN if samples is None else hedge_after(samples)

    def begin(self, where: str) -> RateLimited | None:
        """Note that it is asked, or return why it must not be: it named a time, and was asked again a moment ago."""
        now = self._clock.monotonic()
        if not breakers.may_insist(self._breaker, now):
            wait = self._breaker.rests_until - now
            return RateLimited(f"{where} asked us to wait for {wait:.0f} s more", retry_after=wait)
        self._breaker = breakers.begin(self._breaker, now)
        return None

    def answered(self, begun: float) -> None:
        """Note an answer, be it a refusal, to what was asked at `begun`."""
        self._breaker = breakers.answered(self._breaker, self._clock.monotonic(), begun=begun)

    def failed(self, error: ChainError, begun: float) -> float | None:
        """Note a failure of what was asked at `begun`; return the seconds of the rest it begins, if one."""
        if error.code == OWN_QUEUE:
            self.given_up()  # it was not even asked
            return None
        if error.code not in _FAULTS:
            self.answered(begun)
            return None
        now = self._clock.monotonic()
        began = phase_of(self._breaker, now) is not Phase.OPEN
        retry_after = error.retry_after if isinstance(error, RateLimited) else None
        self._breaker = breakers.faulted(self._breaker, now, reason=error.code, retry_after=retry_after)
        return self._breaker.rests_until - now if began and self.phase is Phase.OPEN else None

    def given_up(self) -> None:
        """Note that nobody waits for the answer any more."""
        self._breaker = breakers.given_up(self._breaker)

    def report(self, chain: str, name: str) -> EndpointReport:
        """Return all of it for people."""
        now, phase = self._clock.monotonic(), self.phase
        spent = "DAY_SPENT" if self.is_day_spent else ""
        self._forget(now)
        return EndpointReport(
            chain=chain,
            endpoint=name,
            state=phase.value,
            reason=self._breaker.reason or spent,
            rests_for=round(max(self._breaker.rests_until - now, 0.0), 1),
            head=self.head,
            lag=self.lag,
            latency_ms=round(self._figures.seconds * 1000, 1) if self._samples else None,
            errors=round(self._figures.errors, 3),
            calls_hour=sum(calls for _, calls in self._minutes),
            calls_day=self._spending.used,
            in_flight=self._in_flight,
            width=int(self._width),
        )

    def _count(self, calls: int, now: float) -> None:
        minute = int(now // 60)
        before = self._minutes.pop()[1] if self._minutes and self._minutes[-1][0] == minute else 0
        self._minutes.append((minute, before + calls))
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._minutes and self._minutes[0][0] <= now // 60 - 60:
            self._minutes.popleft()
