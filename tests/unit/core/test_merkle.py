import pytest

from bmn.core.errors import BadInput
from bmn.core.merkle import (
    TakerData,
    hashlock_info,
    is_proof_valid,
    merkle_proof,
    merkle_root,
    secret_index_for,
    secret_leaf,
    unpack_hashlock_info,
)
from bmn.core.units import Hash32, Secret, TokenAmount

HASHLOCKS = [Secret(bytes((number,)) * 32).hashlock for number in range(5)]
LEAVES = [secret_leaf(index, hashlock) for index, hashlock in enumerate(HASHLOCKS)]


def test_the_order_of_leaves_does_not_matter() -> None:
    assert merkle_root(LEAVES) == merkle_root(LEAVES[::-1])


def test_a_tree_of_one_leaf_is_that_leaf() -> None:
    assert merkle_root(LEAVES[:1]) == LEAVES[0]
    assert merkle_proof(LEAVES[:1], LEAVES[0]) == ()


def test_there_is_one_part_less_than_secrets() -> None:
    assert unpack_hashlock_info(hashlock_info(LEAVES)).parts == 4


@pytest.mark.parametrize("count", [0, 2])
def test_refuses_fewer_than_three_secrets(count: int) -> None:
    hashlock_info(LEAVES[:3])
    with pytest.raises(BadInput, match="BAD_SECRETS"):
        hashlock_info(LEAVES[:count])


def test_refuses_a_proof_for_a_stranger() -> None:
    with pytest.raises(BadInput, match="BAD_PROOF"):
        merkle_proof(LEAVES, Hash32(bytes(32)))
    with pytest.raises(BadInput, match="BAD_SECRETS"):
        merkle_root([])


def test_a_proof_holds_for_its_own_index_only() -> None:
    info = hashlock_info(LEAVES)
    data = TakerData(proof=merkle_proof(LEAVES, LEAVES[1]), index=1, hashlock=HASHLOCKS[1])
    other = TakerData(proof=data.proof, index=2, hashlock=HASHLOCKS[1])
    assert is_proof_valid(info, data)
    assert not is_proof_valid(info, other)


def test_an_index_has_64_bits() -> None:
    secret_leaf(2**64 - 1, HASHLOCKS[0])
    with pytest.raises(BadInput, match="BAD_NUMBER"):
        secret_leaf(2**64, HASHLOCKS[0])


@pytest.mark.parametrize(
    ("remaining", "making", "index"),
    [
        (100, 25, 0),
        (100, 26, 1),
        (100, 100, 4),
        (75, 1, 1),
        (99, 1, None),
        (1, 1, 4),
    ],
)
def test_a_fill_uses_the_secret_of_the_part_it_ends_in(remaining: int, making: int, index: int | None) -> None:
    assert (
        secret_index_for(
            order_making=TokenAmount(100), parts=4, remaining=TokenAmount(remaining), making=TokenAmount(making)
        )
        == index
    )
