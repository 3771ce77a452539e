"""Events of the indexer. Labels are chain names and kinds from a fixed set."""

import structlog
from prometheus_client import Counter, Gauge

_log = structlog.get_logger("bmn.indexer")

_INDEXED = Gauge("bmn_indexer_block_number", "Height of the last block in the journal.", ["chain"])
_EVENTS = Counter("bmn_indexer_events_total", "Events written to the journal, by kind.", ["chain", "kind", "foreign"])
_STRANGERS = Counter("bmn_indexer_strangers_total", "Events like ours of other contracts, by kind.", ["chain", "kind"])
_REORGS = Counter("bmn_indexer_reorgs_total", "Times blocks were taken back.", ["chain"])
_REORG_DEPTH = Gauge("bmn_indexer_last_reorg_depth", "Blocks taken back by the last reorganisation.", ["chain"])
_RETRIES = Counter(
    "bmn_indexer_retries_total", "Times reading or writing a block had to be repeated.", ["chain", "code"]
)
_HALTED = Gauge("bmn_indexer_halted", "1 while a chain is not followed any more.", ["chain"])


def blocks_indexed(chain: str, number: int) -> None:
    """The journal reaches `number`."""
    _HALTED.labels(chain).set(0)
    _INDEXED.labels(chain).set(number)
    _log.debug("blocks_indexed", chain=chain, number=number)


def events_indexed(chain: str, kind: str, count: int, *, is_foreign: bool) -> None:
    """Events were written."""
    _EVENTS.labels(chain, kind, str(is_foreign).lower()).inc(count)
    if is_foreign:
        _log.warning("foreign_events", chain=chain, kind=kind, count=count)


def projections_rebuilt(chain: str) -> None:
    """The tables for readers were brought to where the journal is."""
    _log.info("projections_rebuilt", chain=chain)


def strangers_counted(chain: str, kind: str, count: int) -> None:
    """Events of other contracts were counted."""
    _STRANGERS.labels(chain, kind).inc(count)


def blocks_orphaned(chain: str, ancestor: int, depth: int, *, was_final: bool) -> None:
    """Blocks above `ancestor` left the chain."""
    _REORGS.labels(chain).inc()
    _REORG_DEPTH.labels(chain).set(depth)
    if was_final:
        _log.error("final_blocks_orphaned", chain=chain, ancestor=ancestor, depth=depth)
    else:
        _log.warning("blocks_orphaned", chain=chain, ancestor=ancestor, depth=depth)


def indexing_retried(chain: str, code: str, detail: str) -> None:
    """Something passing was in the way."""
    _RETRIES.labels(chain, code).inc()
    _log.info("indexing_retried", chain=chain, code=code, detail=detail)


def chain_halted(chain: str, code: str, detail: str) -> None:
    """The chain is not followed any more; the others are."""
    _HALTED.labels(chain).set(1)
    _log.error("chain_halted", chain=chain, code=code, detail=detail)
