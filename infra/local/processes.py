"""Start, watch and stop the processes of the local cloud, by recorded pid only.

A record holds the pid and the process's start mark, so that a pid that the system gave
to somebody else is never signalled.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.config import LOOPBACK, LocalCloudError

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Recorded:
    """A process that was started earlier: its pid and when it started."""

    pid: int
    mark: str
    version: str = ""
    """What code it runs, if the starter recorded it."""

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return bool(self.mark) and start_mark(self.pid) == self.mark


def start_mark(pid: int) -> str:
    """A text that differs for every process that ever had *pid*; empty if it is gone."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    ps = shutil.which("ps")  # no /proc: a BSD or macOS
    if ps is None:
        return ""
    shown = subprocess.run(
        [ps, "-o", "lstart=,state=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    return "" if not shown or shown[-1].startswith("Z") else " ".join(shown[:-1])


def read_record(path: Path) -> Recorded | None:
    """The recorded process, whether or not it still runs."""
    try:
        data = json.loads(path.read_text())
        return Recorded(int(data["pid"]), str(data["mark"]), str(data.get("version", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def running(path: Path) -> Recorded | None:
    """The recorded process if it still runs; a stale record is removed."""
    recorded = read_record(path)
    if recorded is not None and recorded.alive():
        return recorded
    path.unlink(missing_ok=True)
    return None


def start(
    argv: Sequence[str],
    *,
    record: Path,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    version: str = "",
) -> subprocess.Popen[bytes]:
    """Start *argv* detached, its output appended to *log*, and record its pid."""
    record.parent.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,  # a Ctrl-C at the terminal must not reach it
        )
    known = {"pid": process.pid, "mark": start_mark(process.pid), "version": version}
    record.write_text(json.dumps(known))
    return process


def stop(path: Path, *, grace: float = 15.0) -> str:
    """Ask the recorded process to end, end it when it does not, and say what happened."""
    recorded = running(path)
    if recorded is None:
        return "was not running"
    outcome = end(recorded, grace=grace)
    path.unlink(missing_ok=True)
    return outcome


def end(recorded: Recorded, *, grace: float) -> str:
    """Stop one process: SIGTERM, then SIGKILL after *grace* seconds."""
    _signal(recorded, signal.SIGTERM)
    if wait_until(lambda: not still_there(recorded), grace):
        return "stopped"
    _signal(recorded, signal.SIGKILL)
    wait_until(lambda: not still_there(recorded), 5.0)
    return f"killed, it did not stop within {grace:.0f} s"


def still_there(recorded: Recorded) -> bool:
    """Whether the process runs; reaps it when it is a child that has ended."""
    with contextlib.suppress(ChildProcessError):  # reap it if it is a child of this process
        os.waitpid(recorded.pid, os.WNOHANG)
    return recorded.alive()


def _signal(recorded: Recorded, number: signal.Signals) -> None:
    if recorded.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(recorded.pid, number)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll *condition* until it holds or *seconds* have passed."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def port_is_free(port: int) -> bool:
    """Whether this process could listen on *port* of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_port(port: int, what: str, variable: str) -> None:
    """Raise an error that says how to mend it if *port* is taken."""
    if not port_is_free(port):
        raise LocalCloudError(
            f"port {port} ({what}) is taken by another program.\n"
            f"  Stop that program, or choose another port: {variable}=<port> make up"
        )


def tail(path: Path, lines: int = 25) -> str:
    """The last *lines* lines of a log, for error messages."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])
