"""What a log line may hold."""

import json
import logging

import pytest
import structlog

from bmn.observe.logs import configure_logs


@pytest.mark.parametrize("as_json", [True, False])
def test_a_logged_failure_shows_no_local_values(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    before, handlers = structlog.get_config(), logging.root.handlers[:]
    configure_logs(as_json=as_json)
    try:
        planted = "planted" + "-secret"
        raise ValueError(str(len(planted)))
    except ValueError as error:
        structlog.get_logger().warning("failed", exc_info=error)
    finally:
        structlog.configure(**before)
        logging.root.handlers[:] = handlers
    written = capsys.readouterr().err
    assert "ValueError" in written
    assert "planted-secret" not in written
    if as_json:
        assert json.loads(written)["event"] == "failed"
