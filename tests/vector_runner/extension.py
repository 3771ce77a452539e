"""The extension blob and the salt that binds it."""

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.bindings.abi import selector
from bmn.core.errors import BadInput
from bmn.core.extension import Extension, check_salt, decode_extension, encode_extension, salt_for
from bmn.core.hashing import keccak

_FIELDS = {
    "makerAssetSuffix": "maker_asset_suffix",
    "takerAssetSuffix": "taker_asset_suffix",
    "makingAmountData": "making_amount_data",
    "takingAmountData": "taking_amount_data",
    "predicate": "predicate",
    "makerPermit": "maker_permit",
    "preInteraction": "pre_interaction",
    "postInteraction": "post_interaction",
    "customData": "custom_data",
}

_REVERTS = {"BAD_EXTENSION": selector("OffsetOutOfBounds()")}


def show_extension(extension: Extension) -> dict[str, object]:
    return {name: getattr(extension, field) for name, field in _FIELDS.items()}


def _fields(case: Case) -> Computed:
    extension = Extension(**{field: read.data(case.input[name]) for name, field in _FIELDS.items()})
    encoded = encode_extension(extension)
    assert decode_extension(encoded) == extension
    example = case.expected["saltExample"]
    if example is None:
        return {"encoded": encoded, "keccak256": None, "saltExample": None}
    base = int(example["baseSalt"])
    salt = salt_for(base, encoded)
    check_salt(salt, encoded)
    return {
        "encoded": encoded,
        "keccak256": keccak(encoded),
        "saltExample": {"baseSalt": base, "salt": salt},
    }


def _truncated(case: Case) -> Computed:
    try:
        decode_extension(read.data(case.input["encoded"]))
    except BadInput as error:
        return {"revert": _REVERTS[error.code]}
    return {"revert": None}


CHECKS = {"empty": _fields, "fields": _fields, "truncated": _truncated}
