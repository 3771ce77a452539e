"""Addresses of CREATE3."""

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.core.escrow_address import create3_address
from bmn.core.hashing import keccak
from bmn.core.units import Hash32


def _predict(case: Case) -> Computed:
    salt = read.data(case.input["salt"])
    if "saltPreimage" in case.input:
        assert keccak(case.input["saltPreimage"].encode()) == salt
    return {
        "deployed": create3_address(
            create3_factory=read.address(case.input["create3Factory"]),
            deployer=read.address(case.input["deployer"]),
            salt=Hash32(salt),
        )
    }


CHECKS = {"predict": _predict, "deployed": _predict, "documented-bmn-address": _predict}
