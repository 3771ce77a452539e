"""Swaps with everything that is stored sealed: a secret, calldata and a signed transaction that carry it."""

from tests.support.api_values import DST
from tests.support.stored_swaps import put_swap
from tests.support.swap_values import an_address

from bmn.core.hashing import keccak
from bmn.core.swap import Action
from bmn.core.units import BlockNumber, Gas, Hashlock, Nonce, Secret, TxHash, Wei
from bmn.evm.tx import SignedTx
from bmn.evm.types import Fees
from bmn.pg.pool import Connection, Pool, connection, transaction
from bmn.seams import SystemRng
from bmn.store.intents import NewIntent, record_intent, urgency_of
from bmn.store.sealed import count_sealed
from bmn.store.sealing import KeyId, Sealer
from bmn.store.secrets import load_secret, save_secret
from bmn.store.txs import NewAttempt, add_attempt, assign_nonce, load_open, load_waiting

SIGNER = an_address(9)
OLD_KEY, NEW_KEY, OTHER_KEY = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
OLD = Sealer(OLD_KEY, SystemRng())
NEW = Sealer(NEW_KEY, SystemRng())
OTHER = Sealer(OTHER_KEY, SystemRng())
BOTH = Sealer(OLD_KEY, SystemRng(), others=[NEW_KEY])


def secret_number(number: int) -> Secret:
    return Secret(keccak(b"secret %d" % number))


def raw_number(number: int) -> bytes:
    return b"\x02raw" + secret_number(number).reveal() + bytes(40)


async def put_sealed(pool: Pool, number: int, sealer: Sealer, *, action: Action = Action.PAY) -> Hashlock:
    """Accept a swap, take its secret, want `action`, and sign a transaction for it."""
    secret = secret_number(number)
    terms = await put_swap(pool, number, secret=secret)
    async with transaction(pool) as conn:
        await save_secret(conn, secret, sealer)
        await record_intent(conn, bearing(terms.hashlock, secret, action), sealer)
    async with transaction(pool) as conn:
        [intent] = [one for one in await load_waiting(conn, DST, 100, sealer) if one.hashlock == terms.hashlock]
        raw, nonce = raw_number(number), Nonce(number)
        assert await assign_nonce(conn, intent, SIGNER, nonce)
        signed = SignedTx(raw=raw, hash=TxHash(keccak(raw)), sender=SIGNER, nonce=nonce)
        fees = Fees(max_fee_per_gas=Wei(2), max_priority_fee_per_gas=Wei(1))
        new = NewAttempt(intent=intent, signed=signed, fees=fees, signed_at=BlockNumber(1), is_cancel=False)
        await add_attempt(conn, new, sealer)
    return terms.hashlock


def bearing(hashlock: Hashlock, secret: Secret, action: Action) -> NewIntent:
    return NewIntent(
        hashlock=hashlock,
        action=action,
        ordinal=0,
        chain_id=DST,
        target=an_address(1),
        data=calldata_of(secret),
        value=Wei(0),
        gas=Gas(1),
        not_after=None,
        deadline=None,
        urgency=urgency_of(action),
        bears_secret=True,
    )


def calldata_of(secret: Secret) -> bytes:
    return b"\x01\x02\x03\x04" + secret.reveal() + bytes(256)


async def assert_opens(pool: Pool, numbers: range, sealer: Sealer) -> None:
    """Everything of these swaps is there, and opens."""
    async with connection(pool) as conn:
        held = {intent.nonce: intent for intent in await load_open(conn, DST, SIGNER, sealer)}
        for number in numbers:
            secret = secret_number(number)
            assert await load_secret(conn, secret.hashlock, sealer) == secret
            assert held[Nonce(number)].data == calldata_of(secret)
            assert [attempt.raw for attempt in held[Nonce(number)].attempts] == [raw_number(number)]


async def keys_in_use(conn: Connection) -> set[KeyId | None]:
    return {one.key_id for one in await count_sealed(conn)}
