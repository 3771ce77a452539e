"""Contracts of other makers and versions: not spoken to, so their cases stay open."""

from tests.vector_runner.cases import Case, Computed, Open


def _open(case: Case) -> Computed:
    raise Open(f"{case.file} describes contracts this project neither ships nor speaks to")


CHECKS = dict.fromkeys(
    (
        # immutables_v12
        "event-SrcEscrowCreated",
        "empty-parameters",
        "with-fees",
        "zero-fees",
        # bmn_variants
        "bmn-v4-immutables-hash",
        "deployedAt-not-enforced",
        "deposit-not-enforced",
        "event-log",
        "factory-immutable-bug",
        "open-post-interaction",
        "post-interaction",
        "public-action-digest",
        "timestamp-tolerance",
    ),
    _open,
)
