"""A secret we hold is in no column of any table in clear (money rule 10)."""

import pytest
from tests.support.api_values import SRC
from tests.support.hunting import columns_that_show
from tests.support.stored_swaps import SEALER, put_swap
from tests.support.swap_values import A_SECRET, an_address

from bmn.core.errors import InvariantViolation, PermanentError, TransientError
from bmn.core.swap import Action
from bmn.core.units import Gas, Secret, Wei
from bmn.messages import WithdrawSrcEscrow, wake_swap
from bmn.pg.pool import Pool, connection, transaction
from bmn.seams import SystemRng
from bmn.store.intents import NewIntent, record_intent, urgency_of
from bmn.store.sealing import Sealer
from bmn.store.secrets import has_secret, load_secret, save_secret

OTHER = Secret(b"\x77" * 32)


async def test_the_search_finds_a_secret_in_clear(store: Pool) -> None:
    terms = await put_swap(store)
    async with connection(store) as conn:
        await conn.execute(
            "INSERT INTO secrets (hashlock, sealed) VALUES ($1, $2)", terms.hashlock, b"x" + A_SECRET.reveal()
        )
    assert await columns_that_show(store, A_SECRET.reveal()) == ["secrets.sealed"]


async def test_a_secret_is_in_no_column_in_clear(store: Pool) -> None:
    terms = await put_swap(store)
    async with transaction(store) as conn:
        await save_secret(conn, A_SECRET, SEALER)
        await wake_swap(conn, terms.hashlock, WithdrawSrcEscrow)
        for action in (Action.PAY, Action.CLAIM):
            intent = NewIntent(
                hashlock=terms.hashlock,
                action=action,
                ordinal=0,
                chain_id=SRC,
                target=an_address(1),
                data=b"\x01\x02\x03\x04" + A_SECRET.reveal() + bytes(256),
                value=Wei(0),
                gas=Gas(1),
                not_after=None,
                deadline=None,
                urgency=urgency_of(action),
                bears_secret=action.bears_secret,
            )
            assert await record_intent(conn, intent, SEALER)
    assert await columns_that_show(store, A_SECRET.reveal()) == []
    assert await columns_that_show(store, bytes(terms.hashlock)) != []


async def test_a_secret_comes_back(store: Pool) -> None:
    terms = await put_swap(store)
    async with connection(store) as conn:
        assert not await has_secret(conn, terms.hashlock)
        assert await load_secret(conn, terms.hashlock, SEALER) is None
        await save_secret(conn, A_SECRET, SEALER)
        await save_secret(conn, A_SECRET, SEALER)
        assert await has_secret(conn, terms.hashlock)
        assert await load_secret(conn, terms.hashlock, SEALER) == A_SECRET


async def test_another_key_does_not_open_it(store: Pool) -> None:
    terms = await put_swap(store)
    async with connection(store) as conn:
        await save_secret(conn, A_SECRET, SEALER)
        with pytest.raises(TransientError, match="SECRETS_KEY_UNKNOWN"):
            await load_secret(conn, terms.hashlock, Sealer(bytes(32), SystemRng()))


async def test_a_sealed_secret_cannot_be_moved_to_another_swap(store: Pool) -> None:
    await put_swap(store, 1)
    other = await put_swap(store, 2, secret=OTHER)
    async with connection(store) as conn:
        await save_secret(conn, A_SECRET, SEALER)
        sealed = await conn.fetchval("SELECT sealed FROM secrets")
        await conn.execute("INSERT INTO secrets (hashlock, sealed) VALUES ($1, $2)", other.hashlock, sealed)
        with pytest.raises(PermanentError, match="UNSEAL_FAILED"):
            await load_secret(conn, other.hashlock, SEALER)


async def test_what_was_sealed_for_a_hashlock_must_be_its_secret(store: Pool) -> None:
    terms = await put_swap(store)
    sealed = SEALER.seal(OTHER.reveal(), b"secret:" + terms.hashlock)
    async with connection(store) as conn:
        await conn.execute("INSERT INTO secrets (hashlock, sealed) VALUES ($1, $2)", terms.hashlock, sealed)
        with pytest.raises(InvariantViolation, match="SECRET_MISMATCH"):
            await load_secret(conn, terms.hashlock, SEALER)
