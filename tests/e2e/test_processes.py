"""The deployed functions as processes: killed between calls, hit by a burst, built from locks."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from infra.local.processes import read_record, wait_until
from tests.builders.workflows import chain, node
from tests.e2e.conftest import Owner, RunningCloud


def kill_functions(cloud: RunningCloud) -> int:
    """End every function process that the local cloud started; how many there were."""
    records = [read_record(path) for path in cloud.config.runtimes_dir.iterdir()]
    living = [recorded for recorded in records if recorded is not None and recorded.alive()]
    for recorded in living:
        with contextlib.suppress(ProcessLookupError):
            os.kill(recorded.pid, signal.SIGKILL)
    assert wait_until(lambda: not any(recorded.alive() for recorded in living), 10)
    return len(living)


@pytest.mark.hazard("H26")
def test_no_state_lives_in_a_process(cloud: RunningCloud, new_owner: Callable[[], Owner]) -> None:
    """H26: every function process killed before every call: the answers are the same (IMP-19)."""
    owner = new_owner()
    killed = []

    def call(method: str, path: str, **options: Any) -> httpx.Response:
        killed.append(kill_functions(cloud))
        return owner.http.request(method, path, **options)

    assert call("GET", "/api/auth/me").json()["id"] == owner.profile["id"]
    login = {"email": owner.email, "password": owner.password}
    signed_in = call("POST", "/api/auth/login", json=login)
    assert signed_in.status_code == 200, signed_in.text
    renewed = call(
        "POST", "/api/auth/refresh", json={"refresh_token": signed_in.json()["refresh_token"]}
    )
    assert renewed.status_code == 200, renewed.text
    body = {"name": "after a kill", "definition": chain(node("a"))}
    key = {"Idempotency-Key": "once"}
    made = call("POST", "/api/workflows", json=body, headers=key)
    assert made.status_code == 201, made.text
    again = call("POST", "/api/workflows", json=body, headers=key)
    assert (again.status_code, again.json()["id"]) == (201, made.json()["id"])
    path = f"/api/workflows/{made.json()['id']}"
    run = call("POST", f"{path}/execute", json={"execution_mode": "sync"})
    assert (run.status_code, run.json()["status"]) == (200, "completed"), run.text
    page = call("GET", "/api/workflows?page_size=1")
    assert page.json()["total"] == 1
    assert sum(1 for count in killed if count) >= len(killed) - 1


@pytest.mark.hazard("H13")
def test_a_burst_on_cold_functions_gets_answers(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    """H13: cold functions, then ten times as many calls at once: answers, never a 5xx of ours.

    As many at once as this machine can start processes for; a Lambda has no such limit.
    """
    owner = new_owner()
    paths = ["/api/auth/me", "/api/workflows", "/api/members"]
    kill_functions(cloud)
    first = [owner.http.get(path).status_code for path in paths]

    def call(number: int) -> int:
        return owner.http.get(paths[number % len(paths)]).status_code

    with ThreadPoolExecutor(4) as pool:
        seen = collections.Counter(pool.map(call, range(60)))
    assert first == [200] * 3
    assert set(seen) <= {200, 429}, seen
    assert seen[200] >= 50, seen


@pytest.mark.hazard("H29")
def test_every_function_runs_on_its_locked_layers(cloud: RunningCloud) -> None:
    """H29: each function answers a ping on the layers built from the lock files alone."""
    import boto3

    client = boto3.client(
        "lambda", region_name=cloud.config.region, endpoint_url=cloud.config.aws_endpoint,
        aws_access_key_id=cloud.config.platform_account, aws_secret_access_key="local",
    )  # fmt: skip
    names = [
        one["FunctionName"]
        for page in client.get_paginator("list_functions").paginate()
        for one in page["Functions"]
    ]
    assert len(names) > 15
    wrong = {}
    for name in names:
        answer = client.invoke(FunctionName=name, Payload=b'{"tidegate_ping": true}')
        text = answer["Payload"].read().decode()
        if "ImportModuleError" in text or "ModuleNotFoundError" in text:
            wrong[name] = text[:300]
    assert wrong == {}
