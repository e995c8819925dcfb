"""The lab on the deployed platform: stream, machine, training function with numpy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.builders.lab import daily, random_walk, wave
from tests.e2e.conftest import Owner

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]


def post(owner: Owner, path: str, body: Any, status: int) -> Any:
    answer = owner.http.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def experiment(owner: Owner, values: list[float]) -> str:
    body = {"name": "Costs", "source": "upload", "unit": "USD", "points": daily(values)}
    dataset = post(owner, "/api/lab/datasets", body, 201)
    made = post(owner, "/lab/experiments", {"name": "Try", "dataset_id": dataset["id"]}, 201)
    return str(made["id"])


def finished(owner: Owner, run_id: str, seconds: float = 120) -> Any:
    """The run once it is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run = owner.http.get(f"/lab/runs/{run_id}").json()
        if run["status"] not in ("queued", "running"):
            return run
        time.sleep(0.3)
    pytest.fail(f"still {run['status']} after {seconds} s")


def trained(owner: Owner, experiment_id: str, model_type: str) -> Any:
    run = post(owner, f"/lab/experiments/{experiment_id}/runs", {"model_type": model_type}, 202)
    return finished(owner, run["id"])


def test_a_model_is_trained_promoted_and_predicts(new_owner: Callable[[], Owner]) -> None:
    owner = new_owner()
    experiment_id = experiment(owner, wave(120))
    winters, ridge = (trained(owner, experiment_id, m) for m in ("holt_winters", "ridge"))
    for run in (winters, ridge):
        assert (run["status"], run["beats_baseline"]) == ("completed", True), run
    compared = owner.http.get(f"/lab/compare?run_ids={winters['id']},{ridge['id']}").json()
    best = min((winters, ridge), key=lambda run: run["metrics"]["mase"])
    assert compared["metrics"][0]["best"] == best["id"]
    assert owner.http.get(f"/lab/experiments/{experiment_id}").json()["best_run_id"] == best["id"]
    model = post(owner, f"/lab/models/{best['model_id']}/promote", {"reason": "best"}, 200)
    assert model["stage"] == "production"
    made = post(owner, f"/lab/models/{model['id']}/predictions", {"horizon": 7}, 201)
    assert made["predictions"][0]["date"] == "2026-05-01"
    for path in (f"runs/{best['id']}", f"datasets/{made['dataset_id']}"):
        chart = owner.http.get(f"/api/lab/{path}/chart.svg")
        assert chart.headers["content-type"] == "image/svg+xml"
        assert chart.text.startswith("<svg")


def test_a_random_walk_is_not_promoted(new_owner: Callable[[], Owner]) -> None:
    owner = new_owner()
    run = trained(owner, experiment(owner, random_walk(120, 3)), "ridge")
    assert (run["status"], run["beats_baseline"]) == ("completed", False)
    refused = post(owner, f"/lab/models/{run['model_id']}/promote", {}, 409)
    assert refused["error"]["code"] == "GATE_NOT_PASSED"


def test_a_cancelled_run_stays_cancelled(new_owner: Callable[[], Owner]) -> None:
    owner = new_owner()
    experiment_id = experiment(owner, wave(400))
    body = {"model_type": "ridge", "params": {"season": 90}, "horizon": 1, "folds": 20}
    run = post(owner, f"/lab/experiments/{experiment_id}/runs", body, 202)
    cancelled = post(owner, f"/lab/runs/{run['id']}/cancel", {}, 200)
    assert cancelled["status"] == "cancelled"
    again = post(owner, f"/lab/runs/{run['id']}/cancel", {}, 409)
    assert again["error"]["code"] == "RUN_FINISHED"
    # Another run of the same experiment passes through the same stream, after the first.
    assert trained(owner, experiment_id, "seasonal_naive")["status"] == "completed"
    assert finished(owner, run["id"])["status"] == "cancelled"
