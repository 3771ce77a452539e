"""Packing, getters, rescue start."""

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.core.errors import BadInput
from bmn.core.timelocks import Stage, Timelocks, check_timelocks, pack_timelocks, unpack_timelocks
from bmn.core.units import Seconds

_NAMES = (
    "srcWithdrawal",
    "srcPublicWithdrawal",
    "srcCancellation",
    "srcPublicCancellation",
    "dstWithdrawal",
    "dstPublicWithdrawal",
    "dstCancellation",
)


def _pack(case: Case) -> Computed:
    at = read.moment(case.input["deployedAt"])
    signed = read.offsets(case.input["offsets"])
    return _shown(signed.deployed(at)) | {
        "packedWithoutDeployedAt": pack_timelocks(signed),
        "rescueStart": signed.deployed(at).rescue_opens_at(Seconds(int(case.input["rescueDelay"]))),
        "sdkAcceptsOrdering": _is_accepted(signed),
    }


def _set_deployed_at(case: Case) -> Computed:
    before = unpack_timelocks(int(case.input["packedBefore"]))
    return _shown(before.deployed(read.moment(case.input["deployedAt"])))


def _shown(timelocks: Timelocks) -> dict[str, object]:
    word = pack_timelocks(timelocks)
    assert unpack_timelocks(word) == timelocks
    return {
        "packed": word,
        "packedHex": word.to_bytes(32, "big"),
        "absolute": {name: timelocks.opens_at(stage) for name, stage in zip(_NAMES, Stage, strict=True)},
    }


def _is_accepted(timelocks: Timelocks) -> bool:
    try:
        check_timelocks(timelocks)
    except BadInput:
        return False
    return True


CHECKS = {
    "zero": _pack,
    "max": _pack,
    "one-hot": _pack,
    "realistic": _pack,
    "random": _pack,
    "setDeployedAt-overwrite": _set_deployed_at,
}
