"""Which secret a partial fill must use."""

from collections.abc import Mapping
from typing import Any

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.core.merkle import secret_index_for


def _fill(case: Case) -> Computed:
    return _index(case, case.input)


def _sequence(case: Case) -> Computed:
    return {
        "steps": [
            {
                "remainingMakingAmount": step["remainingMakingAmount"],
                "makingAmount": step["makingAmount"],
                **_index(case, step),
            }
            for step in case.expected["steps"]
        ]
    }


def _index(case: Case, amounts: Mapping[str, Any]) -> dict[str, object]:
    index = secret_index_for(
        order_making=read.amount(case.input["orderMakingAmount"]),
        parts=int(case.input["partsAmount"]),
        remaining=read.amount(amounts["remainingMakingAmount"]),
        making=read.amount(amounts["makingAmount"]),
    )
    return {"validatedIndexAccepted": None if index is None else index + 1, "secretIndex": index}


_SINGLE_FILLS = (
    "full-first",
    "first-just-part",
    "almost-full",
    "second-next-bucket",
    "complete-after-half",
    "first-min",
    "last-unit",
    "second-same-bucket",
    "first-just-over-part",
    "first-half",
    "random",
)
CHECKS = dict.fromkeys(_SINGLE_FILLS, _fill) | {"sequence": _sequence}
