"""Where the local cloud lives and how it is addressed. Nothing here touches the machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]

DEFAULT_AWS_PORT = 4566
DEFAULT_EDGE_PORT = 8000
PLATFORM_ACCOUNT = "111111111111"
CUSTOMER_ACCOUNT = "222222222222"
DEFAULT_REGION = "us-east-1"
LOOPBACK = "127.0.0.1"


class LocalCloudError(RuntimeError):
    """Something the person at the keyboard can mend; the message says how."""


@dataclass(frozen=True)
class LocalCloud:
    """One local cloud: its source tree, its folder, its ports and its accounts.

    Two clouds with different ``home`` and ports run side by side; they share only
    ``environments`` (the installed Python environments and the built layers).
    """

    root: Path = PROJECT_ROOT
    template: Path = PROJECT_ROOT / "template.yaml"
    home: Path = PROJECT_ROOT / ".local"
    environments: Path = PROJECT_ROOT / ".local"
    aws_port: int = DEFAULT_AWS_PORT
    edge_port: int = DEFAULT_EDGE_PORT
    region: str = DEFAULT_REGION
    platform_account: str = PLATFORM_ACCOUNT
    customer_account: str = CUSTOMER_ACCOUNT
    stack_name: str = "tidegate-local"
    cors_origins: str = (
        "http://localhost:3000,http://localhost:5173,http://localhost:8000,http://127.0.0.1:8000"
    )
    parameters: dict[str, str] = field(default_factory=dict)
    """Template parameters that win over the ones the localizer would pass."""

    @property
    def aws_endpoint(self) -> str:
        """Base URL of the emulator's AWS API."""
        return f"http://{LOOPBACK}:{self.aws_port}"

    @property
    def api_url(self) -> str:
        """Public base URL of the HTTP API, served by the front door."""
        return f"http://{LOOPBACK}:{self.edge_port}"

    @property
    def ws_url(self) -> str:
        """Public WebSocket URL, served by the front door."""
        return f"ws://{LOOPBACK}:{self.edge_port}/ws"

    @property
    def run_dir(self) -> Path:
        """Records of what was started: pid files, the front door's targets."""
        return self.home / "run"

    @property
    def runtimes_dir(self) -> Path:
        """One record for every Lambda runtime process that the emulator started."""
        return self.run_dir / "runtimes"

    @property
    def log_dir(self) -> Path:
        """``<function>.log``, ``ministack.log`` and ``edge.log``."""
        return self.home / "logs"

    @property
    def state_dir(self) -> Path:
        """The emulator's persisted state."""
        return self.home / "state"

    @property
    def tmp_dir(self) -> Path:
        """TMPDIR of the emulator: unpacked function code."""
        return self.home / "tmp"

    @property
    def layers_dir(self) -> Path:
        """Built layers, addressed by the hash of what they were built from."""
        return self.environments / "layers"

    @property
    def emulator_env(self) -> Path:
        """Virtual environment of the emulator."""
        return self.environments / "venv"

    @property
    def runtime_env(self) -> Path:
        """Virtual environment that functions run in: awslambdaric and boto3 only."""
        return self.environments / "runtime"

    @property
    def outputs_file(self) -> Path:
        """What other tools read to find this cloud."""
        return self.home / "outputs.json"

    @property
    def targets_file(self) -> Path:
        """API ids that the front door forwards to; written by every deploy."""
        return self.run_dir / "targets.json"

    def with_ports(self, aws_port: int, edge_port: int) -> LocalCloud:
        """The same cloud on other ports."""
        return replace(self, aws_port=aws_port, edge_port=edge_port)


def from_environment() -> LocalCloud:
    """The project's local cloud, moved by ``TIDEGATE_LOCAL_*`` variables.

    ``TIDEGATE_LOCAL_PORT``, ``TIDEGATE_LOCAL_AWS_PORT``, ``TIDEGATE_LOCAL_REGION``,
    ``TIDEGATE_LOCAL_HOME`` and ``TIDEGATE_LOCAL_TEMPLATE``.
    """
    env = os.environ
    return LocalCloud(
        template=Path(env.get("TIDEGATE_LOCAL_TEMPLATE", str(PROJECT_ROOT / "template.yaml"))),
        home=Path(env.get("TIDEGATE_LOCAL_HOME", str(PROJECT_ROOT / ".local"))).absolute(),
        aws_port=_port(env.get("TIDEGATE_LOCAL_AWS_PORT"), DEFAULT_AWS_PORT),
        edge_port=_port(env.get("TIDEGATE_LOCAL_PORT"), DEFAULT_EDGE_PORT),
        region=env.get("TIDEGATE_LOCAL_REGION", DEFAULT_REGION),
    )


def _port(text: str | None, default: int) -> int:
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise LocalCloudError(f"'{text}' is not a port number; use 1 to 65535")
    return int(text)
