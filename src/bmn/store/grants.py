"""The roles of our database. What tells how a decision came about, or that money was sent, nobody can delete."""

from typing import Final

from bmn.pg.migrate import VERSION_TABLE
from bmn.pg.roles import Role

OWNER: Final = "bmn_migrate"
"""Owns the tables; only migrations run as it."""

_ADDED_TO: Final = "SELECT, INSERT"
_KEPT: Final = "SELECT, INSERT, UPDATE"
_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"

# Depth and age of the queues, without what is in the messages.
_MESSAGE: Final = (
    "SELECT (id, queue, kind, priority, run_at, attempts, max_attempts, lease_token, lease_until, created_at)"
)

_DEAD_MESSAGE: Final = "SELECT (id, queue, kind, priority, attempts, code, error, created_at, first_failed_at, died_at)"

# Built from the journal, and built again when its rules change.
_PROJECTIONS: Final = (
    *("src_escrow", "dst_escrow", "escrow_withdrawal", "escrow_cancellation", "atomic_swap", "order_fill"),
    *("order_cancellation", "bmn_transfer", "bmn_holder", "chain_statistics"),
)

APP: Final = Role(
    name="bmn_app",  # runs any set of roles of `bmn run`, and the commands
    tables={
        VERSION_TABLE: "SELECT",
        "orders": _ADDED_TO,
        "swap_events": _ADDED_TO,
        "secret_events": _ADDED_TO,
        "evidence": _ADDED_TO,
        **dict.fromkeys(("swaps", "intents", "txs", "leases"), _KEPT),
        **dict.fromkeys(("journal", "escrows", "chain_heads", "strangers"), _KEPT),
    },
    others=_ALL,
    sequences="USAGE",
)

INDEXER: Final = Role(
    name="bmn_indexer",  # runs `bmn run --roles indexer` alone
    tables={
        **dict.fromkeys((VERSION_TABLE, "orders"), "SELECT"),
        **dict.fromkeys(("journal", "escrows", "chain_heads", "strangers", "leases"), _KEPT),
        **dict.fromkeys(_PROJECTIONS, _ALL),
        **dict.fromkeys(("chain_blocks", "handoffs"), "SELECT, INSERT, DELETE"),
        "kv": _KEPT,  # tells people what it knows of its endpoints; no decision reads this table
        "messages": _KEPT,  # changes a duplicate that waits
        "dead_messages": _DEAD_MESSAGE,
        "swaps": "SELECT, UPDATE (wake_src, wake_dst)",
        "secret_events": _ADDED_TO,
    },
    sequences="USAGE",
)

API: Final = Role(
    name="bmn_api",  # dashboards; the API itself takes orders in, and is `bmn_app`
    tables={
        **dict.fromkeys((VERSION_TABLE, "orders", "swaps", "swap_events", "secret_events", "evidence"), "SELECT"),
        **dict.fromkeys(("journal", "escrows", "chain_heads", "chain_blocks", "strangers", "handoffs"), "SELECT"),
        **dict.fromkeys(_PROJECTIONS, "SELECT"),
        **dict.fromkeys(("schedules", "job_runs"), "SELECT"),
        "messages": _MESSAGE,
        "dead_messages": _DEAD_MESSAGE,
    },
)

BACKUP: Final = Role(name="bmn_backup", others="SELECT", sequences="SELECT")  # pg_dump

ROLES: Final = (APP, INDEXER, API, BACKUP)
