"""Secrets handed over by makers, sealed; nobody reads them in clear from the database (money rule 10)."""

from bmn.core.errors import InvariantViolation
from bmn.core.units import Hashlock, Secret
from bmn.pg.pool import Connection
from bmn.store.sealing import Sealer
from bmn.store.sealing_key import seal_stored


def secret_context(hashlock: Hashlock) -> bytes:
    """Return what a sealed secret is bound to."""
    return b"secret:" + hashlock


async def save_secret(conn: Connection, secret: Secret, sealer: Sealer) -> None:
    """Store `secret`, sealed; the same one again changes nothing."""
    await conn.execute(
        "INSERT INTO secrets (hashlock, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        secret.hashlock,
        await seal_stored(conn, sealer, secret.reveal(), secret_context(secret.hashlock)),
    )


async def load_secret(conn: Connection, hashlock: Hashlock, sealer: Sealer) -> Secret | None:
    """Return the secret of `hashlock` if a maker handed it over.

    Raises:
        TransientError: SECRETS_KEY_UNKNOWN.
        PermanentError: what was sealed was changed.
        InvariantViolation: what was sealed is not the secret of this hashlock.
    """
    sealed = await conn.fetchval("SELECT sealed FROM secrets WHERE hashlock = $1", hashlock)
    if sealed is None:
        return None
    secret = Secret(sealer.open(sealed, secret_context(hashlock)))
    if secret.hashlock != hashlock:
        raise InvariantViolation("SECRET_MISMATCH", f"the stored secret does not fit hashlock {hashlock}")
    return secret


async def has_secret(conn: Connection, hashlock: Hashlock) -> bool:
    """Whether a maker handed it over."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM secrets WHERE hashlock = $1)", hashlock)
    return found
