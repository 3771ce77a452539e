"""Every selector and topic we use is in the contracts we ship, under the same name."""

import json
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from tests.vector_runner.abi import ORDER_PROTOCOL, signature_of

from bmn.bindings import (
    create3_calls,
    escrow_calls,
    escrow_logs,
    factory_calls,
    order_protocol_calls,
    resolver_calls,
    token_calls,
)
from bmn.bindings.abi import decode_revert, selector, topic
from bmn.bindings.artifacts import Artifact, load_artifact, matches_artifact
from bmn.core.errors import NotFound
from bmn.core.units import Hash32

NAMES = ("BmnToken", "Create3Factory", "EscrowDst", "EscrowFactory", "EscrowSrc", "NoopToken", "Resolver")
Abi = tuple[Mapping[str, Any], ...]


def _abi(name: str) -> Abi:
    if name == "LimitOrderProtocol":
        return tuple(json.loads(ORDER_PROTOCOL.read_text())["abi"])
    return load_artifact(name).abi


def _constant(name: str) -> str:
    """`deploySrc` -> `DEPLOY_SRC`; names in capitals stay."""
    return name if name.isupper() else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def _selectors(name: str) -> set[tuple[str, bytes]]:
    functions = [entry for entry in _abi(name) if entry["type"] == "function"]
    return {(_constant(entry["name"]), selector(signature_of(entry))) for entry in functions}


@pytest.mark.parametrize(
    ("module", "contracts"),
    [
        (create3_calls, {"Create3Factory"}),
        (escrow_calls, {"EscrowSrc", "EscrowDst"}),
        (factory_calls, {"EscrowFactory"}),
        (order_protocol_calls, {"LimitOrderProtocol"}),
        (resolver_calls, {"Resolver"}),
        (token_calls, {"BmnToken"}),
    ],
)
def test_every_selector_is_in_the_contract(module: ModuleType, contracts: set[str]) -> None:
    ours = {(name, value) for name, value in vars(module).items() if isinstance(value, bytes) and len(value) == 4}
    assert ours
    known = set().union(*(_selectors(name) for name in contracts))
    assert ours - known == set()


def test_every_topic_is_in_a_contract() -> None:
    topics = {
        (_constant(entry["name"]), topic(signature_of(entry)))
        for name in (*NAMES, "LimitOrderProtocol")
        for entry in _abi(name)
        if entry["type"] == "event"
    }
    ours = {(name, value) for name, value in vars(escrow_logs).items() if isinstance(value, Hash32)}
    assert len(ours) == 10
    assert ours - topics == set()


def test_indexed_parameters_are_as_the_decoder_expects() -> None:
    shapes = {
        (topic(signature_of(entry)), 1 + sum(each["indexed"] for each in entry["inputs"]))
        for name in (*NAMES, "LimitOrderProtocol")
        for entry in _abi(name)
        if entry["type"] == "event"
    }
    assert {(key[0], key[1]) for key in escrow_logs._DECODERS} - shapes == set()


@pytest.mark.parametrize("name", ["EscrowFactory", "EscrowSrc", "EscrowDst", "Resolver"])
def test_every_error_of_our_contracts_has_a_name(name: str) -> None:
    for entry in (entry for entry in _abi(name) if entry["type"] == "error"):
        data = selector(signature_of(entry)) + bytes(32 * len(entry["inputs"]))
        assert decode_revert(data).startswith(f"{entry['name']}(")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_contract_loads_and_matches_itself(name: str) -> None:
    artifact = load_artifact(name)
    assert artifact.name == name
    assert artifact.bytecode
    assert matches_artifact(artifact.deployed_bytecode, artifact)


def test_there_is_no_such_contract() -> None:
    with pytest.raises(NotFound, match="NO_ARTIFACT"):
        load_artifact("Nonesuch")


def _with_byte(code: bytes, at: int) -> bytes:
    return code[:at] + bytes((code[at] ^ 1,)) + code[at + 1 :]


@pytest.fixture
def resolver() -> Artifact:
    return load_artifact("Resolver")


def test_immutables_may_hold_anything(resolver: Artifact) -> None:
    code = resolver.deployed_bytecode
    for start, length in resolver.immutable_references:
        assert matches_artifact(_with_byte(code, start), resolver)
        assert matches_artifact(_with_byte(code, start + length - 1), resolver)


def test_all_other_code_must_be_equal(resolver: Artifact) -> None:
    code = resolver.deployed_bytecode
    start, length = resolver.immutable_references[0]
    for at in (0, start - 1, start + length, len(code) - 1):
        assert not matches_artifact(_with_byte(code, at), resolver)


def test_shorter_or_longer_code_is_another_contract(resolver: Artifact) -> None:
    code = resolver.deployed_bytecode
    for other in (b"", code[:-1], code + b"\0"):
        assert not matches_artifact(other, resolver)


def test_code_cut_inside_an_immutable_is_another_contract(resolver: Artifact) -> None:
    start, _ = resolver.immutable_references[-1]
    assert not matches_artifact(resolver.deployed_bytecode[: start + 1], resolver)
