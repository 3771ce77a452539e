"""Runs vector files and says for every case whether it passed."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.vector_runner import (
    abi,
    amounts,
    auction,
    create3,
    escrow_address,
    escrow_order,
    escrow_windows,
    extension,
    factory_checks,
    immutables_hash,
    immutables_v12,
    maker_traits,
    merkle_secrets,
    order_hash,
    partial_fill,
    swap_flows,
    taker_traits,
    timelocks,
    variants,
)
from tests.vector_runner.cases import Case, Check, load_cases, run_case

_PURE: Mapping[str, Mapping[str, Check]] = {
    "abi": abi.CHECKS,
    "amounts": amounts.CHECKS,
    "auction": auction.CHECKS,
    "bmn_variants": variants.CHECKS,
    "create3": create3.CHECKS,
    "escrow_address": escrow_address.CHECKS,
    "escrow_order": escrow_order.CHECKS,
    "extension": extension.CHECKS,
    "immutables_hash": immutables_hash.CHECKS,
    "immutables_v12": immutables_v12.CHECKS,
    "maker_traits": maker_traits.CHECKS,
    "merkle_secrets": merkle_secrets.CHECKS,
    "order_hash": order_hash.CHECKS,
    "partial_fill": partial_fill.CHECKS,
    "taker_traits": taker_traits.CHECKS,
    "timelocks": timelocks.CHECKS,
}
_ON_CHAIN = {
    "escrow_windows": escrow_windows.open_checks,
    "factory_checks": factory_checks.open_checks,
    "swap_flows": swap_flows.open_checks,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one case."""

    case_id: str
    failure: str | None = None
    """None: passed."""


@contextmanager
def open_file(path: Path) -> Iterator[Mapping[str, Check]]:
    """Give the checks for the kinds of one file; starts local chains if they need any."""
    with _checks_of(path.stem) as checks:
        yield checks


def judge(case: Case, checks: Mapping[str, Check]) -> Outcome:
    """Run one case. Whatever goes wrong, an unknown kind included, is that case's failure."""
    try:
        check = checks[case.kind]
    except KeyError:
        return Outcome(case_id=case.id, failure=f"unknown kind {case.kind!r}")
    try:
        return Outcome(case_id=case.id, failure=run_case(case, check))
    except Exception as error:  # noqa: BLE001 - one broken case must not hide the others
        return Outcome(case_id=case.id, failure=f"{type(error).__name__}: {error}")


def run_file(path: Path) -> list[Outcome]:
    """Run every case of a file."""
    with open_file(path) as checks:
        return [judge(case, checks) for case in load_cases(path)]


def _checks_of(name: str) -> AbstractContextManager[Mapping[str, Check]]:
    if name in _ON_CHAIN:
        return _ON_CHAIN[name]()
    return nullcontext(_PURE.get(name, {}))
