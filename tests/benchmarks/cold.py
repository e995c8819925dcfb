"""Cold starts: fresh interpreters, variants interleaved, medians (performance targets)."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.benchmarks.store_server import token
from tests.builders.members import PRIVATE_KEY
from tests.builders.settings import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
# What the runtime client of Lambda has imported before any handler.
_RUNTIME = "import concurrent.futures, http.client, json, logging, multiprocessing, os, sys, time\n"
_EVENT = (
    "event = {'version': '2.0', 'rawPath': '/rows', 'rawQueryString': '', 'isBase64Encoded': False,"
    " 'headers': {'host': 'a.example', 'authorization': 'Bearer ' + os.environ['BENCH_TOKEN']},"
    " 'requestContext': {'http': {'method': 'GET', 'path': '/rows', 'sourceIp': '203.0.113.9'}}}\n"
)
_CALL = (
    "answer = handler(event, None)\nassert answer['statusCode'] == 200, answer\n"
    "after = time.process_time()\n"
    "sys.stderr.write(f'{(init - start) * 1000} {(after - init) * 1000} {len(sys.modules)}')\n"
)
SCRIPTS = {
    "bare": _RUNTIME + "start = init = time.process_time()\n"
    "def handler(event, context): return {'statusCode': 200, 'body': json.dumps({'rows': []})}\n"
    + _EVENT + _CALL,
    "newcomer": _RUNTIME + "start = time.process_time()\n"
    "from tests.benchmarks.newcomer import handler\ninit = time.process_time()\n" + _EVENT + _CALL,
    "tidegate": _RUNTIME + "start = time.process_time()\n"
    "from tidegate_kit.http import lambda_app\n"
    "from tests.benchmarks.subject import router\nhandler = lambda_app(router)\n"
    "init = time.process_time()\n" + _EVENT + _CALL,
    "worker": _RUNTIME + "start = time.process_time()\n"
    "from tests.benchmarks.worker import handler\ninit = time.process_time()\n" + _EVENT + _CALL,
}  # fmt: skip


def environment(port: int) -> dict[str, str]:
    """What a subject needs to start and to reach the canned store."""
    pem = PRIVATE_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path = os.pathsep.join(str(ROOT / part) for part in ("functions", "layers/shared", "."))
    return {
        **ENVIRONMENT,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": path,
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "BENCH_TOKEN": token(),
        "BENCH_PUBLIC_KEY": pem.decode(),
        "BENCH_STORE": "1",
    }


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Cold:
    """CPU milliseconds of one variant: whole process, init phase, first request."""

    def __init__(self) -> None:
        self.whole: list[float] = []
        self.init: list[float] = []
        self.first: list[float] = []
        self.modules = 0

    def median(self, name: str) -> float:
        """The median of `whole`, `init` or `first`."""
        return statistics.median(vars(self)[name])


def measure(port: int, rounds: int) -> dict[str, Cold]:
    """Start each variant `rounds` times, in turn."""
    results = {name: Cold() for name in SCRIPTS}
    env = environment(port)
    for number in range(rounds + 1):
        for name, script in SCRIPTS.items():
            started = _children()
            done = subprocess.run(
                [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False
            )
            whole = (_children() - started) * 1000
            if done.returncode != 0:
                raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
            if number == 0:
                continue  # writes the byte code
            init, first, modules = done.stderr.rsplit("\n", 1)[-1].split()
            results[name].whole.append(whole)
            results[name].init.append(float(init))
            results[name].first.append(float(first))
            results[name].modules = int(modules)
    return results
