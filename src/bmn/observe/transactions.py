"""Events of the transaction manager. Labels: chain name, action, state; never a hash, an address or calldata."""

import structlog
from prometheus_client import Counter, Gauge

_log = structlog.get_logger("bmn.txmgr")

_SIGNED = Counter("bmn_txs_signed_total", "Transactions signed and stored.", ["chain", "action", "why"])
_MOVED = Counter("bmn_intents_moved_total", "State changes of intents.", ["chain", "action", "state"])
_NOT_TAKEN = Counter("bmn_txs_not_taken_total", "Broadcasts that no endpoint took.", ["chain", "status"])
_FOREIGN = Counter("bmn_foreign_nonces_total", "Nonces of ours used by a transaction that is not ours.", ["chain"])
_ILL = Counter("bmn_lane_findings_total", "Nonces that block a lane, by what is wrong with them.", ["chain", "ailment"])
_STUMBLES = Counter("bmn_lane_stumbles_total", "Passes of a lane that ended early, by code.", ["chain", "code"])
_OPEN = Gauge("bmn_lane_open_nonces", "Nonces that are not final.", ["chain", "signer"])


def tx_signed(chain: str, action: str, nonce: int, *, why: str, tx_hash: str) -> None:
    """A transaction was signed and committed; `why` is first, bump, cancel or restore."""
    _SIGNED.labels(chain, action, why).inc()
    _log.info("tx_signed", chain=chain, action=action, nonce=nonce, why=why, tx=tx_hash)


def intent_moved(chain: str, action: str, before: str, after: str) -> None:
    """An intent changed its state."""
    _MOVED.labels(chain, action, after).inc()
    _log.info("intent_moved", chain=chain, action=action, before=before, after=after)


def tx_not_taken(chain: str, action: str, nonce: int, status: str, detail: str) -> None:
    """No endpoint took a broadcast this time."""
    _NOT_TAKEN.labels(chain, status).inc()
    _log.warning("tx_not_taken", chain=chain, action=action, nonce=nonce, status=status, detail=detail)


def nonce_used_elsewhere(chain: str, signer: str, nonce: int) -> None:
    """Somebody else signs with our key."""
    _FOREIGN.labels(chain).inc()
    _log.error("nonce_used_elsewhere", chain=chain, signer=signer, nonce=nonce)


def lane_is_ill(chain: str, signer: str, nonce: int, ailment: str) -> None:
    """A nonce blocks the lane: `hole` is filled by a self-transfer, `lost` needs a person."""
    _ILL.labels(chain, ailment).inc()
    _log.error("lane_is_ill", chain=chain, signer=signer, nonce=nonce, ailment=ailment)


def lane_stumbled(chain: str, code: str, detail: str) -> None:
    """A pass ended early; the next one goes on from what is stored."""
    _STUMBLES.labels(chain, code).inc()
    _log.warning("lane_stumbled", chain=chain, code=code, detail=detail)


def lane_open(chain: str, signer: str, count: int) -> None:
    """How many nonces of a lane are not final."""
    _OPEN.labels(chain, signer).set(count)
