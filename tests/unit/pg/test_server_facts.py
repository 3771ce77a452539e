"""Which servers we work with."""

import pytest

from bmn.core.errors import ConfigError
from bmn.pg.embedded import check_server_facts


def test_takes_the_oldest_promised_version() -> None:
    check_server_facts(major=15, encoding="UTF8", standby=False)


@pytest.mark.parametrize(
    ("major", "encoding", "standby", "code"),
    [(14, "UTF8", False, "TOO_OLD"), (15, "LATIN1", False, "ENCODING"), (15, "UTF8", True, "STANDBY")],
)
def test_refuses_a_server_by_what_it_says(major: int, encoding: str, standby: bool, code: str) -> None:
    with pytest.raises(ConfigError, match=f"DATABASE_{code}"):
        check_server_facts(major=major, encoding=encoding, standby=standby)
