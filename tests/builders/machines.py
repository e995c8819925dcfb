"""The second, independent linter of Amazon States Language: asl-validator."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

VALIDATOR = ROOT / ".local/node/node_modules/asl-validator"
PROGRAM = (
    "const {readFileSync, readdirSync} = require('fs');"
    "const check = require(process.argv[1]);"
    "const dir = process.argv[2]; let bad = 0;"
    "for (const name of readdirSync(dir)) {"
    " const result = check(JSON.parse(readFileSync(dir + '/' + name)));"
    " if (!result.isValid) { bad += 1; console.log(name, result.errorsText('\\n')); } }"
    "process.exit(bad ? 1 : 0);"
)


def asl_validator_problems(machines: Mapping[str, dict[str, Any]], folder: Path) -> str:
    """What asl-validator says of named machines; empty is good. Skips where it is not installed."""
    node = shutil.which("node")
    if node is None or not VALIDATOR.is_dir():
        pytest.skip("needs node and npm; with them 'make .local/node/.ready' installs the linter")
    for name, machine in machines.items():
        (folder / f"{name}.json").write_text(json.dumps(machine))
    done = subprocess.run(
        [node, "-e", PROGRAM, str(VALIDATOR), str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout[-2000:] + done.stderr[-2000:] or "failed"
