"""The lab over the whole pipeline (contract 2.12)."""

from __future__ import annotations

import pytest
from tidegate.lab.routes import router
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.lab import Lab, wave
from tests.builders.members import SignedIn, sign_in


@pytest.fixture
def member(platform: Settings) -> SignedIn:
    return sign_in()


@pytest.fixture
def lab(platform: Settings, member: SignedIn) -> Lab:
    return Lab(ApiClient([router], platform), member)


def test_dataset_experiment_run_model_prediction(lab: Lab) -> None:
    dataset = lab.dataset(wave(120), unit="USD")
    assert (dataset["point_count"], dataset["source"], dataset["unit"]) == (120, "upload", "USD")
    assert (dataset["from"], dataset["to"]) == ("2026-01-01", "2026-04-30")
    experiment = lab.experiment(dataset["id"])
    started = lab.start(experiment["id"], model_type="holt_winters")
    assert (started["status"], started["model_id"], started["metrics"]) == ("queued", None, None)
    assert lab.train(started["id"]) is True
    run = lab.get(f"/lab/runs/{started['id']}")
    assert run["status"] == "completed"
    assert run["beats_baseline"] is True
    assert run["metrics"]["mase"] < run["baseline_metrics"]["mase"]
    model = lab.get(f"/lab/models/{run['model_id']}")
    assert (model["stage"], model["version"], model["run_id"]) == ("candidate", 1, run["id"])
    assert model["gate"] == {
        "passed": True,
        "mase": run["metrics"]["mase"],
        "baseline_mase": run["baseline_metrics"]["mase"],
        "folds": 5,
    }
    made = lab.post(f"/lab/models/{model['id']}/predictions", {"horizon": 10}, 201)
    assert [day["date"] for day in made["predictions"]][:2] == ["2026-05-01", "2026-05-02"]
    for day in made["predictions"]:
        assert day["lower_95"] < day["lower_80"] < day["mean"] < day["upper_80"] < day["upper_95"]
    assert lab.get(f"/lab/predictions/{made['id']}") == made
    after = lab.get(f"/lab/experiments/{experiment['id']}")
    assert (after["run_count"], after["best_run_id"]) == (1, run["id"])
    log = lab.get(f"/lab/experiments/{experiment['id']}/logs")
    assert log["total"] == 5
    assert log["logs"][-1]["message"].startswith("queued")
