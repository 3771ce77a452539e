from dataclasses import replace

import pytest
import rlp  # type: ignore[import-untyped]  # an oracle without types
from tests.support.swap_values import FACTORY, IMMUTABLES, TAKER

from bmn.core.escrow_address import clone_code, clone_init_code_hash, create_address, escrow_address
from bmn.core.hashing import keccak
from bmn.core.units import UnixTime


@pytest.mark.parametrize("nonce", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 2**64 - 1])
def test_a_create_address_hashes_deployer_and_nonce(nonce: int) -> None:
    assert create_address(FACTORY, nonce) == keccak(rlp.encode([bytes(FACTORY), nonce]))[12:]


def test_a_clone_is_45_bytes_around_its_implementation() -> None:
    code = clone_code(FACTORY)
    assert len(code) == 45
    assert code[10:30] == FACTORY
    assert clone_init_code_hash(FACTORY) == keccak(bytes.fromhex("3d602d80600a3d3981f3") + code)


def test_another_second_of_birth_is_another_escrow() -> None:
    later = IMMUTABLES.timelocks.deployed(UnixTime(IMMUTABLES.timelocks.deployed_at + 1))
    here = escrow_address(factory=FACTORY, implementation=TAKER, immutables=IMMUTABLES)
    assert here == escrow_address(factory=FACTORY, implementation=TAKER, immutables=IMMUTABLES)
    there = escrow_address(factory=FACTORY, implementation=TAKER, immutables=replace(IMMUTABLES, timelocks=later))
    assert here != there
