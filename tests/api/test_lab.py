"""The lab over the whole pipeline (contract 2.12)."""

from __future__ import annotations

from typing import Any

import pytest
from tidegate.lab.routes import router
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.lab import Lab, random_walk, wave, white_noise
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


def promoted(lab: Lab, **body: Any) -> Any:
    """A model in production."""
    run = lab.trained(wave(120), **body)
    return lab.post(f"/lab/models/{run['model_id']}/promote", {"reason": "better"})


def test_promotion_archives_the_former_model(lab: Lab) -> None:
    first = promoted(lab)
    assert (first["stage"], first["promoted_at"] is not None) == ("production", True)
    experiment_id = lab.get(f"/lab/runs/{first['run_id']}")["experiment_id"]
    run = lab.start(experiment_id, model_type="ridge")
    lab.train(run["id"])
    second_id = lab.get(f"/lab/runs/{run['id']}")["model_id"]
    second = lab.post(f"/lab/models/{second_id}/promote", {})
    assert (second["stage"], second["version"]) == ("production", 2)
    assert lab.get(f"/lab/models/{first['id']}")["stage"] == "archived"
    assert lab.post(f"/lab/models/{second_id}/promote", {}) == second, "again: as it is"
    back = lab.post(f"/lab/models/{first['id']}/promote", {})
    assert back["stage"] == "production", "a former model may come back"
    assert lab.get(f"/lab/models/{second_id}")["stage"] == "archived"
    listed = lab.get("/lab/models")
    assert [model["id"] for model in listed["models"]] == [second_id, first["id"]]


@pytest.mark.parametrize("values", [white_noise(120), random_walk(120, 3)], ids=["noise", "walk"])
@pytest.mark.parametrize("model_type", ["holt_winters", "ridge", "seasonal_naive"])
def test_a_model_without_structure_is_refused(
    lab: Lab, model_type: str, values: list[float]
) -> None:
    run = lab.trained(values, model_type=model_type)
    assert (run["status"], run["beats_baseline"]) == ("completed", False)
    refused = lab.post(f"/lab/models/{run['model_id']}/promote", {}, 409)
    assert refused["error"]["code"] == "GATE_NOT_PASSED"
    assert lab.get(f"/lab/models/{run['model_id']}")["stage"] == "candidate"


def test_seasonal_naive_never_beats_itself(lab: Lab) -> None:
    run = lab.trained(wave(120), model_type="seasonal_naive")
    assert run["metrics"] == run["baseline_metrics"]
    assert run["beats_baseline"] is False
