"""Where the front door forwards to; the localizer writes it after every deploy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Targets:
    """API ids and stages in the emulator, and what gateway-made answers must say."""

    aws_port: int
    http_api: str = ""
    websocket_api: str = ""
    websocket_stage: str = ""
    cors_origins: tuple[str, ...] = ()
    environment: str = "development"
    stage: str = "local"
    version: str = "local"
    rate: float = 0
    burst: float = 0


def write(path: Path, targets: Targets) -> None:
    """Replace the file in one step: the front door may be reading it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps(asdict(targets), indent=2))
    staged.replace(path)


class TargetsFile:
    """The current targets, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0
        self._targets: Targets | None = None

    def current(self) -> Targets | None:
        """The targets, or None before the first deploy."""
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._seen:
                data = json.loads(self._path.read_text())
                data["cors_origins"] = tuple(data["cors_origins"])
                self._targets = Targets(**data)
                self._seen = changed
        except OSError:
            self._targets = None
        return self._targets
