"""One lane: the nonces of one signer on one chain, from assignment to finality.

Each pass looks at what is stored and what the chain says, and does what is missing; so a restart is an ordinary pass.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from bmn.bindings.abi import decode_revert
from bmn.core.chain import ChainSpec
from bmn.core.errors import ChainError, InvariantViolation, PermanentError, TransientError
from bmn.core.facts import IntentState
from bmn.core.swap import Action
from bmn.core.units import BlockHash, BlockNumber, Gas, Hashlock, Nonce, TxHash, UnixTime, Wei
from bmn.evm.client import ChainClient, ChainReader
from bmn.evm.failures import CallReverted
from bmn.evm.signer import Signer
from bmn.evm.tx import UnsignedTx, sign_tx
from bmn.evm.types import BlockTag, Fees, Head, Receipt, SendStatus, TxStatus
from bmn.messages import AdvanceSwap, WithdrawSrcEscrow, wake_swap
from bmn.observe import transactions as observe
from bmn.pg.errors import LostLease
from bmn.pg.leases import Lease, check_fence
from bmn.pg.pool import Connection, Pool, connection, transaction
from bmn.seams.crash import crashpoint
from bmn.store import txs
from bmn.store.sealing import Sealer
from bmn.store.txs import Attempt, LaneIntent, NewAttempt
from bmn.txmgr.doctor import Ailment, diagnose
from bmn.txmgr.fees import FeePolicy, bumped_fees, first_fees, is_overdue
from bmn.txmgr.verdict import Verdict, choose_next, is_retired, judge, may_be_refused

_POLL_MOST = 0.5
_URGENT = {Action.PAY.value, Action.CLAIM.value}
_SENDS_AT_ONCE = 16
_UNMINED = {IntentState.WAITING, IntentState.PENDING}


class IntentTaken(TransientError):
    """Between choosing and committing, an intent was retired or another lane of the chain took it; nothing stands."""

    def __init__(self, intent_id: int) -> None:
        super().__init__("INTENT_TAKEN", f"intent {intent_id} was retired or taken meanwhile")


class Lane:
    """Owns the nonces of `signer` while `lease` holds; every write checks it."""

    def __init__(
        self,
        *,
        spec: ChainSpec,
        chain: ChainClient,
        signer: Signer,
        policy: FeePolicy,
        pool: Pool,
        sealer: Sealer,
        lease: Lease,
    ) -> None:
        self._spec = spec
        self._chain = chain
        self._signer = signer
        self._policy = policy
        self._pool = pool
        self._sealer = sealer
        self._lease = lease
        self._head: BlockHash | None = None
        """The head up to which the stored attempts are reconciled."""
        self._now = UnixTime(0)
        """The latest time any endpoint reported at that head."""
        self._sent: dict[TxHash, BlockHash] = {}
        """The head at which each attempt was last offered."""

    async def run(self, ear: asyncio.Event) -> None:
        """Work until cancelled, at once whenever `ear` is set.

        Raises:
            LostLease: another process owns the lane.
        """
        pause = min(self._spec.block_time / 2, _POLL_MOST)
        while True:
            ear.clear()
            try:
                await self.step()
            except (LostLease, InvariantViolation):
                raise
            except IntentTaken:
                continue  # somebody else moved on with it, so this ends
            except (TransientError, PermanentError) as error:
                observe.lane_stumbled(self._spec.name, error.code, error.detail)
            except Exception as error:  # noqa: BLE001 - edge of the loop: one bad pass must not stop claims for good
                observe.lane_stumbled(self._spec.name, "UNEXPECTED", type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await ear.wait()

    async def step(self) -> None:
        """Make one pass; no chain is asked when nothing is to be done."""
        async with connection(self._pool) as conn:
            waits, holds = await txs.load_work(conn, self._spec.id, self._signer.address)
        if not (waits or holds):
            return
        head = await self._fetch_head()
        held = await self._load_open()
        if head.hash != self._head:
            self._now = (await self._chain.clock_bounds()).latest
            await self._reconcile(held, head)
            self._head = head.hash
            crashpoint("lane.reconciled")
            held = await self._load_open()
        replaced = await self._replace(held, head)
        assigned = waits and await self._assign(len(held), head)
        await self._broadcast(await self._load_open() if replaced or assigned else held, head)

    async def _fetch_head(self) -> Head:
        head = await self._chain.block(BlockTag.HEAD)
        if head is None:
            raise ChainError("RPC_BAD_ANSWER", f"{self._spec.name} has no head")
        return head

    async def _load_open(self) -> list[LaneIntent]:
        async with connection(self._pool) as conn:
            held = await txs.load_open(conn, self._spec.id, self._signer.address, self._sealer)
        observe.lane_open(self._spec.name, str(self._signer.address), len(held))
        return held

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Connection]:
        """Yield a transaction that stands only if the lane is still ours."""
        async with transaction(self._pool) as conn:
            await check_fence(conn, self._lease)
            yield conn

    # What the chain says about what we signed.

    async def _reconcile(self, held: Sequence[LaneIntent], head: Head) -> None:
        """Bring stored states in line with the receipts as of `head`."""
        if not held:
            return
        hashes = [attempt.hash for intent in held for attempt in intent.attempts]
        receipts = dict(zip(hashes, await self._chain.receipts(hashes), strict=True)) if hashes else {}
        verdicts = {intent.id: judge(intent, receipts, head.number, self._spec.depth) for intent in held}
        await self._confirm_final(verdicts)
        moved = [(intent, verdicts[intent.id]) for intent in held if _differs(intent, verdicts[intent.id])]
        moved = [(intent, await self._explained(intent, verdict)) for intent, verdict in moved]
        if moved:
            async with self._write() as conn:
                for intent, verdict in moved:
                    await txs.mark_mined(conn, intent.id, verdict.receipt)
                    await self._move(conn, intent, verdict.state, verdict.failure)
            if any(verdict.receipt is not None for _, verdict in moved):
                crashpoint("tx.mined")
        unmined = [intent for intent in held if verdicts[intent.id].receipt is None]
        if unmined:
            try:
                await self._look_for_strangers(held, unmined, head)
            except ChainError as error:
                # Endpoints that cannot agree on one lost nonce must not stop the rest of the lane.
                observe.lane_stumbled(self._spec.name, error.code, error.detail)

    async def _confirm_final(self, verdicts: dict[int, Verdict]) -> None:
        """Take final verdicts only from a quorum of endpoints; what they do not confirm stays open."""
        final = {key: verdict for key, verdict in verdicts.items() if verdict.is_final and verdict.receipt is not None}
        if not final:
            return
        mined = [verdict.receipt for verdict in final.values() if verdict.receipt is not None]

        async def ask(reader: ChainReader) -> tuple[tuple[BlockHash, TxStatus] | None, ...]:
            return tuple(map(_outcome, await reader.receipts([one.tx_hash for one in mined])))

        try:
            agreed = await self._chain.agree(ask)
        except ChainError as error:
            observe.lane_stumbled(self._spec.name, error.code, error.detail)
            agreed = (None,) * len(mined)
        for (key, verdict), own, theirs in zip(final.items(), mined, agreed, strict=True):
            if theirs != _outcome(own):
                is_done = verdict.state is IntentState.DONE
                verdicts[key] = replace(verdict, state=IntentState.MINED if is_done else IntentState.REVERTED)

    async def _explained(self, intent: LaneIntent, verdict: Verdict) -> Verdict:
        """Add the contract's reason to a reverted verdict. What it carries is public by now."""
        receipt = verdict.receipt
        if receipt is None or receipt.status is TxStatus.SUCCEEDED:
            return verdict
        try:
            await self._chain.call(
                intent.target, intent.data, receipt.block_hash, sender=self._signer.address, value=intent.value
            )
        except CallReverted as error:
            return replace(verdict, failure=f"reverted: {decode_revert(error.data)}")
        except ChainError:
            return verdict
        return replace(verdict, failure=f"reverted; gas used {receipt.gas_used} of {intent.gas}")

    async def _look_for_strangers(self, held: Sequence[LaneIntent], unmined: Sequence[LaneIntent], head: Head) -> None:
        """Find nonces that others used and nonces that nothing of ours holds."""
        address = self._signer.address
        latest = await self._chain.nonce(address, BlockTag.HEAD)
        lost = [intent for intent in unmined if intent.nonce is not None and intent.nonce < latest]
        deep = BlockNumber(head.number - self._spec.depth)
        if lost and deep >= 0:
            await self._settle_lost(lost, deep)
        async with connection(self._pool) as conn:
            after = await txs.load_next_nonce(conn, self._spec.id, address)
            signed = await txs.load_held_nonces(conn, self._spec.id, address, latest)
        for finding in diagnose(latest, after, signed, [intent.nonce for intent in held]):
            observe.lane_is_ill(self._spec.name, str(address), finding.nonce, finding.ailment.value)
            if finding.ailment is Ailment.HOLE:
                async with self._write() as conn:
                    await txs.add_hole(conn, self._spec.id, address, finding.nonce)

    async def _settle_lost(self, lost: Sequence[LaneIntent], deep: BlockNumber) -> None:
        """Give up nonces that a quorum sees final with a transaction that is not ours."""
        address = self._signer.address
        hashes = [attempt.hash for intent in lost for attempt in intent.attempts]

        async def ask(reader: ChainReader) -> tuple[Nonce, tuple[TxHash, ...]]:
            # The same endpoint answers both: one that knows the block that used the nonce knows our receipt in it.
            used = await reader.nonce(address, deep)
            found = await reader.receipts(hashes) if hashes else ()
            return used, tuple(receipt.tx_hash for receipt in found if receipt is not None)

        used, mined = await self._chain.agree(ask)
        for intent in lost:
            if intent.nonce is None or intent.nonce >= used or any(one.hash in mined for one in intent.attempts):
                continue
            observe.nonce_used_elsewhere(self._spec.name, str(address), intent.nonce)
            async with self._write() as conn:
                if may_be_refused(intent.action) or is_retired(intent, self._now):
                    await self._move(conn, intent, IntentState.DEAD, f"nonce {intent.nonce} was used by another")
                else:
                    await txs.free_intent(conn, intent.id)
                    await self._wake(conn, intent.hashlock, intent.action)

    # What is to be signed.

    async def _drop_waiting(self) -> None:
        """End what never got a nonce and shall not get one."""
        async with self._write() as conn:
            for hashlock, action in await txs.drop_waiting(conn, self._spec.id, self._now):
                observe.intent_moved(self._spec.name, action, IntentState.WAITING.value, IntentState.DEAD.value)
                await self._wake(conn, hashlock, action)

    async def _replace(self, held: Sequence[LaneIntent], head: Head) -> bool:
        """Sign a replacement for what is retired, wanted again, or has waited too long; return whether any was."""
        due = [(intent, why) for intent in held if (why := self._why_replace(intent, head)) is not None]
        if not due:
            return False
        market = await self._chain.fee_suggestion()
        signed: list[tuple[NewAttempt, str]] = []
        for intent, why in due:
            is_cancel = is_retired(intent, self._now)
            fees = first_fees(market, self._policy)
            if intent.attempts:
                bumped = bumped_fees(intent.attempts[-1].fees, market, self._policy, is_cancel=is_cancel)
                if bumped is None:
                    continue
                fees = bumped
            signed.append((await self._sign(intent, intent.nonce, fees, head, is_cancel=is_cancel), why))
        if not signed:
            return False
        crashpoint("tx.signed")
        async with self._write() as conn:
            for new, _ in signed:
                await txs.add_attempt(conn, new, self._sealer)
        self._tell_signed(signed)
        return True

    def _why_replace(self, intent: LaneIntent, head: Head) -> str | None:
        if intent.state not in _UNMINED:
            return None
        retired = is_retired(intent, self._now)
        if not intent.attempts or intent.attempts[-1].is_cancel != retired:
            return "cancel" if retired else "restore"
        return "bump" if is_overdue(intent.attempts[-1], head, self._policy) else None

    async def _assign(self, in_flight: int, head: Head) -> bool:
        """Give waiting intents their nonces, with the signed bytes, in one transaction; return whether any got one."""
        await self._drop_waiting()
        cap = self._policy.max_in_flight
        async with connection(self._pool) as conn:
            waiting = await txs.load_waiting(conn, self._spec.id, cap * 2, self._sealer)
        chosen = choose_next(waiting, in_flight, cap)
        ready = await self._with_gas(chosen)
        if not ready:
            return False
        market = await self._chain.fee_suggestion()
        fees = first_fees(market, self._policy)
        latest = await self._chain.nonce(self._signer.address, BlockTag.HEAD)
        async with connection(self._pool) as conn:
            after = await txs.load_next_nonce(conn, self._spec.id, self._signer.address)
        first = max(latest, after)
        signed = [
            await self._sign(intent, Nonce(first + place), fees, head, is_cancel=False)
            for place, intent in enumerate(ready)
        ]
        crashpoint("tx.signed")
        async with self._write() as conn:
            for new in signed:
                # All or none: a nonce without its transaction would stop the lane.
                if not await txs.assign_nonce(conn, new.intent, self._signer.address, new.signed.nonce):
                    raise IntentTaken(new.intent.id)
                await txs.add_attempt(conn, new, self._sealer)
        self._tell_signed([(new, "first") for new in signed])
        return True

    async def _with_gas(self, chosen: Sequence[LaneIntent]) -> list[LaneIntent]:
        """Return those that can be sent now, with a gas limit; end fills and locks that would revert."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._estimate(intent)) for intent in chosen]
        ready: list[LaneIntent] = []
        for intent, task in zip(chosen, tasks, strict=True):
            match task.result():
                case None:
                    continue
                case CallReverted() as refusal if may_be_refused(intent.action):
                    await self._refuse(intent, f"not sent: {decode_revert(refusal.data)}")
                case CallReverted():
                    ready.append(replace(intent, gas=self._policy.fallback_gas))
                case gas:
                    ready.append(replace(intent, gas=gas))
        return ready

    async def _refuse(self, intent: LaneIntent, failure: str) -> None:
        async with self._write() as conn:
            if await txs.refuse_waiting(conn, intent.id, failure):
                observe.intent_moved(self._spec.name, intent.action, intent.state.value, IntentState.DEAD.value)
                await self._wake(conn, intent.hashlock, intent.action)

    async def _estimate(self, intent: LaneIntent) -> Gas | CallReverted | None:
        """Return the limit, the contract's refusal, or None when no endpoint answers now."""
        if intent.gas is not None:
            return intent.gas
        try:
            gas = await self._chain.estimate_gas(
                sender=self._signer.address, to=intent.target, data=intent.data, value=intent.value
            )
        except CallReverted as refusal:
            return refusal
        except ChainError as error:
            observe.lane_stumbled(self._spec.name, error.code, error.detail)
            return None
        return Gas(gas * 13 // 10)

    async def _sign(
        self, intent: LaneIntent, nonce: Nonce | None, fees: Fees, head: Head, *, is_cancel: bool
    ) -> NewAttempt:
        assert nonce is not None
        gas = intent.gas
        if is_cancel:
            address = self._signer.address
            gas = await self._chain.estimate_gas(sender=address, to=address, data=b"")
        assert gas is not None
        unsigned = UnsignedTx(
            chain_id=self._spec.id,
            nonce=nonce,
            max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
            max_fee_per_gas=fees.max_fee_per_gas,
            gas=gas,
            to=self._signer.address if is_cancel else intent.target,
            value=Wei(0) if is_cancel else intent.value,
            data=b"" if is_cancel else intent.data,
        )
        signed = await sign_tx(self._signer, unsigned)
        return NewAttempt(intent=intent, signed=signed, fees=fees, signed_at=head.number, is_cancel=is_cancel)

    def _tell_signed(self, signed: Sequence[tuple[NewAttempt, str]]) -> None:
        crashpoint("tx.committed")
        for new, why in signed:
            action, tx_hash = new.intent.action, str(new.signed.hash)
            observe.tx_signed(self._spec.name, action, new.signed.nonce, why=why, tx_hash=tx_hash)

    # What is to be sent.

    async def _broadcast(self, held: Sequence[LaneIntent], head: Head) -> None:
        """Offer the newest attempt of each open nonce to all endpoints, once per head."""
        due = [
            (intent, intent.attempts[-1])
            for intent in held
            if intent.state in _UNMINED and intent.attempts and self._sent.get(intent.attempts[-1].hash) != head.hash
        ]
        if not due:
            return
        gate = asyncio.Semaphore(_SENDS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._offer(intent, attempt, head, gate)) for intent, attempt in due]
        crashpoint("tx.sent")
        live = {attempt.hash for intent in held for attempt in intent.attempts}
        self._sent = {tx_hash: at for tx_hash, at in self._sent.items() if tx_hash in live}
        taken = [(intent, attempt) for (intent, attempt), task in zip(due, tasks, strict=True) if task.result()]
        new = [(intent, attempt) for intent, attempt in taken if not attempt.accepted]
        if not new:
            return
        async with self._write() as conn:
            await txs.mark_accepted(conn, [attempt.hash for _, attempt in new])
            for intent, attempt in new:
                if intent.state is IntentState.WAITING and not attempt.is_cancel:
                    await self._move(conn, intent, IntentState.PENDING)

    async def _offer(self, intent: LaneIntent, attempt: Attempt, head: Head, gate: asyncio.Semaphore) -> bool:
        """Return whether an endpoint holds it. An error or refusal proves nothing: the next head shows."""
        async with gate:
            try:
                outcome = await self._chain.send_raw(attempt.raw)
            except ChainError as error:
                observe.lane_stumbled(self._spec.name, error.code, error.detail)
                return False
        self._sent[attempt.hash] = head.hash
        if not outcome.is_in_flight and outcome.status is not SendStatus.NONCE_TOO_LOW:
            assert intent.nonce is not None
            status, detail = outcome.status.value, outcome.detail
            observe.tx_not_taken(self._spec.name, intent.action, intent.nonce, status, detail)
        return outcome.is_in_flight

    async def _move(self, conn: Connection, intent: LaneIntent, state: IntentState, failure: str | None = None) -> None:
        """Write a new state and wake the swap in the same transaction."""
        await txs.move_intent(conn, intent.id, state, failure)
        if state is not intent.state:
            observe.intent_moved(self._spec.name, intent.action, intent.state.value, state.value)
            await self._wake(conn, intent.hashlock, intent.action)

    async def _wake(self, conn: Connection, hashlock: Hashlock | None, action: str) -> None:
        if hashlock is not None:
            why = WithdrawSrcEscrow if action in _URGENT else AdvanceSwap
            await wake_swap(conn, hashlock, why, trace=f"{action} on {self._spec.name}")


def _differs(intent: LaneIntent, verdict: Verdict) -> bool:
    """Whether the stored state or the block of the mined attempt is not what the chain says."""
    stored = next((attempt.block_hash for attempt in intent.attempts if attempt.block_hash is not None), None)
    seen = None if verdict.receipt is None else verdict.receipt.block_hash
    return intent.state is not verdict.state or stored != seen


def _outcome(receipt: Receipt | None) -> tuple[BlockHash, TxStatus] | None:
    return None if receipt is None else (receipt.block_hash, receipt.status)
