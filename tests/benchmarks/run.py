"""`python -m tests.benchmarks.run`: every figure as a ratio measured in this run.

Writes docs/benchmarks.md. Times differ between machines; ratios less so.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import checks, cold, warm

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Figure:
    """One ratio, the two measured values behind it, and what it should be."""

    what: str
    ours: float
    reference: float
    unit: str
    target: float | None

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the reference."""
        return self.ours / self.reference

    def row(self) -> str:
        """A row of the report."""
        target = "" if self.target is None else f"\u2264 {self.target:g}"
        values = f"{self.ours:.0f} / {self.reference:.0f} {self.unit}"
        return f"| {self.what} | {self.ratio:.2f} | {target} | {values} |"


def cold_figures(results: dict[str, cold.Cold]) -> list[Figure]:
    """Ratios of the cold starts."""
    bare, ours = results["bare"].median("whole"), results["tidegate"]
    newcomer, worker = results["newcomer"], results["worker"]
    return [
        Figure("HTTP handler cold, first authenticated read / bare handler", ours.median("whole"),
               bare, "ms CPU", 10),
        Figure("newcomer's stack cold, first read / bare handler", newcomer.median("whole"), bare,
               "ms CPU", None),
        Figure("first request after init / bare handler cold", ours.median("first"), bare, "ms CPU",
               0.25),
        Figure("worker cold, one read / bare handler", worker.median("whole"), bare, "ms CPU", 6.5),
        Figure("modules of the HTTP handler / of the newcomer's", ours.modules, newcomer.modules,
               "modules", None),
    ]  # fmt: skip


def warm_figures(results: dict[str, dict[str, float]]) -> list[Figure]:
    """Ratios of the warm paths."""
    get, rows, flow, query = (results[name] for name in ("get", "list", "workflow", "query"))
    return [
        Figure("authenticated GET without store / Powertools resolver with verification",
               get["tidegate"], get["powertools"], "\u00b5s CPU", 2.8),
        Figure("100 KB list, added cost / json.dumps", rows["tidegate"], rows["json.dumps"],
               "\u00b5s CPU", 1.1),
        Figure("POST of a 50-node workflow, cost added to a GET / pydantic alone",
               flow["tidegate"] - get["tidegate"], flow["pydantic"], "\u00b5s CPU", 2.0),
        Figure("query of 100 items / boto3 client", query["tidegate"], query["boto3"],
               "\u00b5s CPU", 1.0),
    ]  # fmt: skip


def check_figures(results: dict[str, float]) -> list[Figure]:
    """Ratios of the checks of findings."""
    return [
        Figure("all checks over 100,000 resources / reading the snapshot once",
               results["checks_s"] * 1000, results["reading_s"] * 1000, "ms CPU", 10),
    ]  # fmt: skip


def report(figures: list[Figure]) -> str:
    """The text of docs/benchmarks.md."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m tests.benchmarks.run`: ratios measured in one run, each against a",
        "reference run beside it. Cold = CPU of a fresh process until its first response, median;",
        "warm = CPU of a call, best of seven rounds. The store answers from memory.",
        "",
        "By themselves: `python -m tests.benchmarks.checks [resources]` (checks of findings) and",
        "`python -m tests.benchmarks.steps` (time per step of a workflow against hand-written",
        "machines; it starts the local cloud and is therefore not part of this report).",
        "",
        f"CPython {platform.python_version()}, {platform.machine()}.",
        "",
        "| what | ratio | target | values |",
        "|---|---|---|---|",
        *(figure.row() for figure in figures),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure everything and write the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9, help="cold starts per variant")
    parser.add_argument("--no-report", action="store_true", help="print only")
    options = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.store_server"], cwd=ROOT,
        stdout=subprocess.PIPE, text=True, env=cold.environment(0),
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        figures = [
            *cold_figures(cold.measure(port, options.rounds)),
            *warm_figures(warm.measure(port)),
            *check_figures(checks.measured()),
        ]
    finally:
        server.terminate()
        server.wait()
    text = report(figures)
    sys.stdout.write(text)
    if not options.no_report:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
