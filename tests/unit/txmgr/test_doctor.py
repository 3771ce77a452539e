from bmn.core.units import Nonce
from bmn.txmgr.doctor import Ailment, Finding, diagnose


def nonces(*numbers: int) -> set[Nonce]:
    return {Nonce(number) for number in numbers}


def test_a_lane_whose_open_nonces_follow_the_chains_is_well() -> None:
    assert diagnose(Nonce(3), Nonce(5), nonces(3, 4), nonces(3, 4)) == []
    assert diagnose(Nonce(7), Nonce(5), nonces(), nonces()) == []


def test_a_nonce_never_signed_for_is_a_hole_and_one_signed_for_and_final_is_lost() -> None:
    assert diagnose(Nonce(2), Nonce(5), nonces(3, 4), nonces(4)) == [
        Finding(nonce=Nonce(2), ailment=Ailment.HOLE),
        Finding(nonce=Nonce(3), ailment=Ailment.LOST),
    ]


def test_a_hole_that_is_being_filled_is_none() -> None:
    assert diagnose(Nonce(2), Nonce(4), nonces(3), nonces(2, 3)) == []
