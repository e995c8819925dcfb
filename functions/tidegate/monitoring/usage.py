"""What the answering process uses of its machine."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tidegate_kit.dynamo import current_store

_SCRATCH = "/tmp"  # noqa: S108 - the one place a Lambda may write; only asked for its size


@dataclass(frozen=True)
class ProcessUsage:
    """The answering process: its SDK pool, its peak memory in bytes, what it uses in percent."""

    active: int
    idle: int
    memory: int
    uptime: float = 0.0
    cpu: float = 0.0
    memory_share: float = 0.0
    disk: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """{uptime, cpu_usage, memory_usage, disk_usage}."""
        return {
            "uptime": round(self.uptime, 3),
            "cpu_usage": round(self.cpu, 3),
            "memory_usage": round(self.memory_share, 3),
            "disk_usage": round(self.disk, 3),
        }


def process_usage() -> ProcessUsage:
    """Pool, peak memory, age in seconds; shares of processors, memory and scratch disk."""
    active, idle = current_store().pool()
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, KiB on Linux
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    disk = shutil.disk_usage(_SCRATCH)
    age = max(_age(), 0.001)
    return ProcessUsage(
        active, idle, peak,
        uptime=age,
        cpu=min(100.0, 100 * time.process_time() / age / (os.cpu_count() or 1)),
        memory_share=min(100.0, 100 * peak / machine),
        disk=100 * disk.used / disk.total,
    )  # fmt: skip


def _age() -> float:
    """Seconds since this process began: proc(5), field 22 of stat, in clock ticks since boot."""
    try:
        stat = Path("/proc/self/stat").read_text(encoding="ascii")
        started = int(stat.rpartition(")")[2].split()[19])
    except OSError:  # no /proc: the processor time is the least that it can be
        return time.process_time()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
