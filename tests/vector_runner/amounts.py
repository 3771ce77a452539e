"""Rounding of linear prices."""

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.core.amounts import making_for_taking, taking_for_making


def _linear(case: Case) -> Computed:
    making, taking = read.amount(case.input["orderMakingAmount"]), read.amount(case.input["orderTakingAmount"])
    return {
        "takingForMaking": taking_for_making(
            order_making=making, order_taking=taking, making=read.amount(case.input["makingAmount"])
        ),
        "makingForTaking": making_for_taking(
            order_making=making, order_taking=taking, taking=read.amount(case.input["takingAmount"])
        ),
    }


CHECKS = {"linear": _linear}
