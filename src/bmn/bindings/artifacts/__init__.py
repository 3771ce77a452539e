"""Compiled contracts shipped with the package: what we deploy, and what we compare deployed code with."""

import json
from dataclasses import dataclass
from importlib import resources

from bmn.core.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One compiled contract."""

    name: str
    """Of the contract."""
    abi: tuple[dict[str, object], ...]
    """JSON ABI entries."""
    bytecode: bytes
    """Creation code, without constructor arguments."""
    deployed_bytecode: bytes
    """Runtime code, with zeros where immutables go."""
    immutable_references: tuple[tuple[int, int], ...]
    """Start and length, in bytes, of every place in the runtime code where the constructor writes."""


def load_artifact(name: str) -> Artifact:
    """Return a contract by name, e.g. `Resolver`.

    Raises:
        NotFound: no such contract is shipped.
    """
    try:
        text = resources.files(__name__).joinpath(f"{name}.json").read_text()
    except FileNotFoundError as error:
        raise NotFound("NO_ARTIFACT", f"no contract {name!r} is shipped") from error
    raw = json.loads(text)
    return Artifact(
        name=raw["contractName"],
        abi=tuple(raw["abi"]),
        bytecode=bytes.fromhex(raw["bytecode"].removeprefix("0x")),
        deployed_bytecode=bytes.fromhex(raw["deployedBytecode"].removeprefix("0x")),
        immutable_references=tuple(
            (place["start"], place["length"]) for places in raw["immutableReferences"].values() for place in places
        ),
    )


def matches_artifact(code: bytes, artifact: Artifact) -> bool:
    """Whether deployed `code` is this contract, whatever its constructor wrote into its immutables.

    What the immutables hold must be checked by reading the contract's getters.
    """
    return len(code) == len(artifact.deployed_bytecode) and _masked(code, artifact) == _masked(
        artifact.deployed_bytecode, artifact
    )


def _masked(code: bytes, artifact: Artifact) -> bytes:
    masked = bytearray(code)
    for start, length in artifact.immutable_references:
        masked[start : start + length] = bytes(length)
    return bytes(masked)
