"""Reads the chains into the journal, block by block, and wakes the swaps that the news is about."""

from bmn.indexer.run import IndexerDeps, run_indexer
from bmn.indexer.status import ChainStatus, indexer_status

__all__ = ["ChainStatus", "IndexerDeps", "indexer_status", "run_indexer"]
