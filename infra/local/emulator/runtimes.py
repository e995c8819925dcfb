"""Repairs around the Lambda runtime processes: latency, logs, and no process left behind."""

from __future__ import annotations

import queue
import socketserver
from pathlib import Path
from typing import Any, BinaryIO

LOG_NAME_VARIABLE = "LOCAL_LOG_NAME"
FIRST_LINE_SECONDS = 0.002
"""How long an answer waits for a log line. MiniStack waits 50 ms for silent functions; what comes
later is in the log file all the same."""


class _Tee:
    """A process's output that is also appended to a file, line by line."""

    def __init__(self, stream: BinaryIO, log: Path) -> None:
        self._stream = stream
        self._log = log.open("ab", buffering=0)

    def readline(self) -> bytes:
        line = self._stream.readline()
        if line:
            self._log.write(line)
        return line

    def close(self) -> None:
        self._log.close()
        self._stream.close()


def install(log_dir: Path, runtimes_dir: Path) -> None:
    """Patch MiniStack's ``ProvidedWorker``. Call before the first function runs."""
    from ministack.core import lambda_runtime

    log_dir.mkdir(parents=True, exist_ok=True)
    runtimes_dir.mkdir(parents=True, exist_ok=True)
    # Without it every answer of the runtime API waits for a delayed ACK (40 ms).
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True

    worker: Any = lambda_runtime.ProvidedWorker
    pump = worker._pump_output
    teardown = worker._teardown
    drain = worker._drain_stderr_bounded

    def pump_to_file(self: Any, stream: BinaryIO, lines: queue.Queue[str]) -> None:
        variables = (self.config.get("Environment") or {}).get("Variables") or {}
        name = variables.get(LOG_NAME_VARIABLE) or self.func_name
        pump(self, _Tee(stream, log_dir / f"{Path(name).name}.log"), lines)

    def teardown_and_forget(self: Any) -> None:
        pid = self._proc.pid if self._proc is not None else None
        teardown(self)
        if pid is not None:
            (runtimes_dir / str(pid)).unlink(missing_ok=True)

    def drain_soon(
        self: Any,
        first_line_wait: float = FIRST_LINE_SECONDS,
        idle_confirm: float = 0.001,
        hard_cap: float = 0.250,
    ) -> str:
        return str(drain(self, first_line_wait, idle_confirm, hard_cap))

    worker._drain_stderr_bounded = drain_soon
    worker._pump_output = pump_to_file
    worker._teardown = teardown_and_forget


def stop_all(runtimes_dir: Path) -> None:
    """End every runtime process; MiniStack itself leaves them running at its own end."""
    from ministack.core import lambda_runtime

    lambda_runtime.reset()
    for record in runtimes_dir.glob("*"):
        record.unlink(missing_ok=True)
