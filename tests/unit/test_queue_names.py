"""Names of the queues are part of the interface: dashboards and alerts use them."""

from bmn import messages


def test_queues_have_the_missions_names_and_the_critical_lane_comes_first() -> None:
    assert messages.QUEUES[0] == "orders:critical"
    assert set(messages.QUEUES) == {"orders:critical", "orders:discovery", "orders:execution", "orders:monitoring"}
