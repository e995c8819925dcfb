"""The command line and where a cloud lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import __main__ as commands
from infra.local.config import LocalCloudError, from_environment


def test_the_environment_moves_the_cloud_and_the_command_line_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIDEGATE_LOCAL_PORT", "9000")
    monkeypatch.setenv("TIDEGATE_LOCAL_HOME", str(tmp_path))
    chosen = commands.parser().parse_args(["--aws-port", "9001", "up"])
    cloud = commands.configured(chosen)
    assert (cloud.edge_port, cloud.aws_port, cloud.home) == (9000, 9001, tmp_path)
    assert cloud.api_url == "http://127.0.0.1:9000"
    assert cloud.ws_url == "ws://127.0.0.1:9000/ws"


@pytest.mark.parametrize("text", ["x", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TIDEGATE_LOCAL_PORT", text)
    with pytest.raises(LocalCloudError, match="not a port number"):
        from_environment()


def test_status_of_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert commands.main(["--home", str(tmp_path), "status"]) == 1
    shown = capsys.readouterr().out
    assert "does not run" in shown
    assert "make up" in shown


def test_an_error_says_what_to_mend(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.yaml")
    assert commands.main(["--home", str(tmp_path), "--template", gone, "up"]) == 1
    assert "gone.yaml does not exist" in capsys.readouterr().err
