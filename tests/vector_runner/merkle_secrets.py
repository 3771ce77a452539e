"""Trees of secrets for orders filled in parts."""

import re

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Check, Computed, NotChecked

from bmn.bindings.abi import selector
from bmn.core.merkle import (
    TakerData,
    encode_taker_data,
    hashlock_info,
    is_proof_valid,
    merkle_proof,
    merkle_root,
    secret_leaf,
    unpack_hashlock_info,
    validation_key,
)
from bmn.core.units import Hash32, Hashlock, OrderHash, Secret


def _tree(case: Case) -> Computed:
    expected = case.expected
    if "secrets" in case.input:
        hashlocks = [Secret(read.data(text)).hashlock for text in case.input["secrets"]]
        leaves = [secret_leaf(at, hashlock) for at, hashlock in enumerate(hashlocks)]
        computed: dict[str, object] = {"secretHashes": hashlocks, "leaves": leaves}
    else:
        # Large trees list only some secrets: their leaves are checked one by one below.
        leaves = [Hash32(read.data(text)) for text in expected["leaves"]]
        computed = {"leaves": NotChecked("the secrets of this tree are not in the file")}
    assert len(leaves) == case.input["secretCount"]
    info = hashlock_info(leaves)
    return computed | {
        "root": merkle_root(leaves),
        "hashlockInfo": info,
        "partsCount": unpack_hashlock_info(info).parts,
        "validationKey": validation_key(OrderHash(read.data(case.input["orderHash"])), info),
        "entries": [_entry(entry, leaves, info) for entry in expected["entries"]],
        "wrongIndexRevert": _wrong_index(expected["entries"][0], leaves, info),
    }


def _entry(raw: dict[str, object], leaves: list[Hash32], info: Hash32) -> dict[str, object]:
    index = int(str(raw["index"]))
    hashlock = Secret(read.data(str(raw["secret"]))).hashlock
    leaf = secret_leaf(index, hashlock)
    data = TakerData(proof=merkle_proof(leaves, leaf), index=index, hashlock=hashlock)
    assert is_proof_valid(info, data)
    assert leaves[index] == leaf
    return {
        "index": index,
        "secret": raw["secret"],
        "secretHash": hashlock,
        "leaf": leaf,
        "proof": data.proof,
        "takerInteractionData": encode_taker_data(data),
        "storedIndex": index + 1,
        "storedLeaf": hashlock,
    }


def _wrong_index(raw: dict[str, object], leaves: list[Hash32], info: Hash32) -> bytes | None:
    data = TakerData(
        proof=merkle_proof(leaves, leaves[0]),
        index=int(str(raw["index"])) + 1,
        hashlock=Hashlock(read.data(str(raw["secretHash"]))),
    )
    return None if is_proof_valid(info, data) else selector("InvalidProof()")


def _single(case: Case) -> Computed:
    (secret,) = case.input["secrets"]
    return {"hashlockInfo": Secret(read.data(secret)).hashlock}


class _Kinds(dict[str, Check]):
    """`secrets-N` for any N."""

    def __missing__(self, kind: str) -> Check:
        if re.fullmatch(r"secrets-\d+", kind):
            return _tree
        raise KeyError(kind)


CHECKS = _Kinds({"single-fill": _single})
