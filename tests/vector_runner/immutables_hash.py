"""Encoding and hash of the 8-field immutables."""

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.core.immutables import decode_immutables, encode_immutables, hash_immutables


def _hash(case: Case) -> Computed:
    immutables = read.immutables(case.input)
    assert decode_immutables(encode_immutables(immutables)) == immutables
    return {"hash": hash_immutables(immutables), "abiEncoded": encode_immutables(immutables)}


CHECKS = {"native-token": _hash, "erc20": _hash, "raw-timelocks": _hash}
