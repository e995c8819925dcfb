"""Pin every transitive dependency: `python requirements/lock.py`. Writes no URLs and no hashes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "requirements/run.in": "layers/dependencies/requirements.txt",
    "requirements/dev.in": "requirements/dev.txt",
    "requirements/science.in": "layers/science/requirements.txt",
    "requirements/tools.in": "requirements/tools.txt",
}


def lock(source: str, target: str) -> None:
    """Resolve `source` with pip and write `name==version` lines to `target`."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--report", str(report), "-r", str(ROOT / source)]
        subprocess.run(command, check=True)  # noqa: S603
        found = json.loads(report.read_text())["install"]
    lines = sorted(
        f"{item['metadata']['name'].lower()}=={item['metadata']['version']}" for item in found
    )
    header = f"# Made by requirements/lock.py from {source}. Do not edit.\n"
    (ROOT / target).write_text(header + "\n".join(lines) + "\n")
    print(f"{target}: {len(lines)} packages")


if __name__ == "__main__":
    for source, target in LOCKS.items():
        if (len(sys.argv) == 1 or source in sys.argv[1:]) and (ROOT / source).exists():
            lock(source, target)
