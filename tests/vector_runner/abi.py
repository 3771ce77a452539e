"""Selectors and topics, and whether the contracts we ship have them."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.vector_runner.cases import Case, Computed

from bmn.bindings.abi import selector, topic
from bmn.bindings.artifacts import load_artifact
from bmn.bindings.variant_interfaces import Entry, EntryKind, contracts_with
from bmn.bindings.variants import Variant

ORDER_PROTOCOL = Path(__file__).resolve().parents[2] / "contracts/devnet/out/LimitOrderProtocol.json"
_OURS = {"EscrowFactory": "EscrowFactory", "EscrowSrc": "EscrowSrc", "EscrowDst": "EscrowDst", "IERC20": "BmnToken"}


def _function(case: Case) -> Computed:
    return _four_bytes(case, "function")


def _error(case: Case) -> Computed:
    return _four_bytes(case, "error")


def _four_bytes(case: Case, kind: str) -> Computed:
    return {"selector": selector(case.input["signature"]), "contracts": _contracts(case, kind, None)}


def _event(case: Case) -> Computed:
    return {
        "topic0": topic(case.input["signature"]),
        "contracts": _contracts(case, "event", tuple(case.input["indexed"])),
    }


def _contracts(case: Case, kind: str, indexed: tuple[bool, ...] | None) -> list[str]:
    """Of other variants: the contracts whose interface, as we read them, has the entry.

    Of the one we implement: the expected contracts, without those of ours that lack the entry; libraries and the
    reference's example resolver have no counterpart here and pass.
    """
    variant = Variant(case.input["variant"])
    if variant is not Variant.ONE_INCH_V1:
        entry = Entry(kind=EntryKind(kind), signature=case.input["signature"], indexed=indexed or ())
        return list(contracts_with(variant, entry))
    key = (kind, case.input["signature"], indexed)
    return [name for name in case.expected["contracts"] if key in _entries(name)]


class _Anything(frozenset[Any]):
    def __contains__(self, item: object) -> bool:
        return True


@cache
def _entries(name: str) -> frozenset[tuple[str, str, tuple[bool, ...] | None]]:
    if name == "LimitOrderProtocol":
        abi = json.loads(ORDER_PROTOCOL.read_text())["abi"]
    elif name in _OURS:
        abi = load_artifact(_OURS[name]).abi
    else:
        return _Anything()
    return frozenset(
        (entry["type"], signature_of(entry), _indexed(entry))
        for entry in abi
        if entry["type"] in {"function", "event", "error"}
    )


def signature_of(entry: Mapping[str, Any]) -> str:
    """Return the canonical signature of a JSON ABI entry."""
    return f"{entry['name']}({','.join(_type_of(each) for each in entry['inputs'])})"


def _type_of(parameter: Mapping[str, Any]) -> str:
    if not parameter["type"].startswith("tuple"):
        return str(parameter["type"])
    return f"({','.join(_type_of(each) for each in parameter['components'])}){parameter['type'][5:]}"


def _indexed(entry: Mapping[str, Any]) -> tuple[bool, ...] | None:
    return tuple(each["indexed"] for each in entry["inputs"]) if entry["type"] == "event" else None


CHECKS = {"error": _error, "event": _event, "function": _function}
