"""The lab over the whole pipeline (contract 2.12)."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import boto3
import pytest
from tidegate.lab import public
from tidegate.lab.routes import router
from tidegate.pipelines.public import CostPoint
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.lab import START, Lab, daily, random_walk, wave, white_noise
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import PREFIX, REGION
from tests.fakes.tables import dump_tables


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


def test_lists_page_newest_first(lab: Lab) -> None:
    dataset = lab.dataset(wave(60))
    experiments = [lab.experiment(dataset["id"], name=f"e{n}") for n in range(3)]
    page = lab.get("/lab/experiments?page_size=2")
    assert [one["name"] for one in page["experiments"]] == ["e2", "e1"]
    rest = lab.get(f"/lab/experiments?page_size=2&cursor={page['next_cursor']}")
    assert [one["name"] for one in rest["experiments"]] == ["e0"]
    assert (page["total"], page["total_pages"]) == (3, 2)
    base = f"/lab/experiments/{experiments[0]['id']}"
    runs = [lab.start(experiments[0]["id"], model_type="seasonal_naive") for _ in range(3)]
    listed = lab.get(f"{base}/runs?page_size=2&fields=status")
    assert [one["id"] for one in listed["runs"]] == [runs[2]["id"], runs[1]["id"]]
    assert set(listed["runs"][0]) == {"id", "status"}
    assert lab.get(f"{base}/logs?page_size=1&page=3")["logs"][0]["run_id"] == runs[0]["id"]
    assert lab.get(base)["run_count"] == 3


def test_runs_are_compared(lab: Lab) -> None:
    experiment = lab.experiment(lab.dataset(wave(120))["id"])
    runs = [lab.start(experiment["id"], model_type=m) for m in ("holt_winters", "seasonal_naive")]
    waiting = lab.start(experiment["id"], model_type="ridge")
    for run in runs:
        lab.train(run["id"])
    ids = [run["id"] for run in (*runs, waiting)]
    answer = lab.get(f"/lab/compare?run_ids={','.join(ids)}")
    assert [run["id"] for run in answer["runs"]] == ids
    figures = {figure["key"]: figure for figure in answer["metrics"]}
    assert list(figures) == ["mase", "smape", "coverage_80", "coverage_95"]
    assert figures["mase"]["best"] == ids[0]
    assert set(figures["mase"]["values"]) == set(ids[:2]), "no figure, no value"
    one = lab.client.get(f"/lab/compare?run_ids={ids[0]}", headers=lab.member.headers)
    assert one.json()["error"]["details"][0]["field"] == "run_ids"
    foreign = f"/lab/compare?run_ids={ids[0]},{new_id()}"
    assert lab.client.get(foreign, headers=lab.member.headers).status_code == 404


def test_a_run_is_cancelled_once(lab: Lab) -> None:
    run = lab.start(lab.experiment(lab.dataset(wave(60))["id"])["id"])
    cancelled = lab.post(f"/lab/runs/{run['id']}/cancel", {})
    assert (cancelled["status"], cancelled["model_id"]) == ("cancelled", None)
    assert cancelled["completed_at"] is not None
    refused = lab.post(f"/lab/runs/{run['id']}/cancel", {}, 409)
    assert refused["error"]["code"] == "RUN_FINISHED"
    assert lab.train(run["id"]) is False, "a task that comes late changes nothing"
    assert lab.get(f"/lab/runs/{run['id']}")["status"] == "cancelled"


def test_a_dataset_in_use_cannot_go_and_an_experiment_takes_its_own(lab: Lab) -> None:
    model = promoted(lab)
    run = lab.get(f"/lab/runs/{model['run_id']}")
    dataset_id = lab.get(f"/lab/experiments/{run['experiment_id']}")["dataset_id"]
    refused = lab.delete(f"/lab/datasets/{dataset_id}", 409)
    assert refused["error"]["code"] == "DATASET_IN_USE"
    gone = lab.delete(f"/lab/experiments/{run['experiment_id']}")
    assert gone == {"id": run["experiment_id"], "deleted": True}
    for path in (
        f"experiments/{run['experiment_id']}",
        f"runs/{run['id']}",
        f"models/{model['id']}",
    ):
        answer = lab.client.get(f"/lab/{path}", headers=lab.member.headers)
        assert answer.status_code == 404, path
    lab.delete(f"/lab/datasets/{dataset_id}")


def test_charts(lab: Lab) -> None:
    values: list[float | None] = [*wave(100)]
    values[50], values[70] = None, 400.0
    marked = "<title>2026-03-12: 400"
    run = lab.trained(values, model_type="ridge")
    dataset_id = lab.get(f"/lab/experiments/{run['experiment_id']}")["dataset_id"]
    waiting = lab.start(run["experiment_id"])
    for path, wanted in (
        (f"datasets/{dataset_id}", marked), (f"runs/{run['id']}", "95 % interval"),
        (f"runs/{waiting['id']}", "queued: no forecast"),
    ):  # fmt: skip
        answer = lab.client.get(f"/lab/{path}/chart.svg", headers=lab.member.headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/svg+xml"
        ElementTree.fromstring(answer.text)  # noqa: S314 - our own answer
        assert wanted in answer.text


def test_a_chart_escapes_names(lab: Lab) -> None:
    dataset = lab.dataset([1.0], name="<script>alert(1)</script>", unit="</text><a>")
    answer = lab.client.get(f"/lab/datasets/{dataset['id']}/chart.svg", headers=lab.member.headers)
    assert "<script" not in answer.text
    assert "<a>" not in answer.text
    ElementTree.fromstring(answer.text)  # noqa: S314 - our own answer


def test_anomalies_of_points_and_of_a_dataset(lab: Lab) -> None:
    values = wave(100, noise=1.0)
    values[60] += 50
    sent = lab.post("/lab/anomalies", {"points": daily(values), "threshold": 8})
    assert (sent["checked"], sent["threshold"]) == (100, 8)
    (found,) = sent["anomalies"]
    assert (found["date"], found["direction"]) == ("2026-03-02", "up")
    parts = sum(part["delta"] for part in found["parts"])
    assert parts == pytest.approx(found["value"] - found["expected"])
    dataset = lab.dataset(values)
    kept = lab.post("/lab/anomalies", {"dataset_id": dataset["id"], "threshold": 8})
    assert kept == sent
    assert lab.post("/lab/anomalies", {"dataset_id": new_id()}, 404)
    short = lab.post("/lab/anomalies", {"points": daily([1.0, 2.0])}, 422)
    assert short["error"]["code"] == "SERIES_TOO_SHORT"
    for body in ({}, {"dataset_id": dataset["id"], "points": daily([1.0])}):
        assert lab.post("/lab/anomalies", body, 422)


def test_a_dataset_of_costs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def costs(scope: Any, *filters: Any) -> list[CostPoint]:
        asked.append(filters)
        return [CostPoint(START, Decimal("1.25")), CostPoint(START + timedelta(2), Decimal("2"))]

    monkeypatch.setattr("tidegate.pipelines.public.cost_series", costs)
    body = {
        "name": "EC2", "source": "cost",
        "cost": {"service": "AmazonEC2", "from": "2026-01-01", "to": "2026-01-31"},
    }  # fmt: skip
    made = lab.post("/lab/datasets", body, 201)
    assert asked == [(None, "AmazonEC2", None, date(2026, 1, 1), date(2026, 1, 31))]
    assert (made["source"], made["unit"], made["point_count"]) == ("cost", "USD", 2)
    assert (made["from"], made["to"]) == ("2026-01-01", "2026-01-03")
    monkeypatch.setattr("tidegate.pipelines.public.cost_series", lambda *_: [])
    refused = lab.post("/lab/datasets", body, 422)
    assert refused["error"]["code"] == "SERIES_TOO_SHORT"


DAY = {"date": "2026-01-01", "value": 1}
NEXT = {"date": "2026-01-02", "value": 1}
BAD_POINTS: dict[str, tuple[Any, str]] = {
    "none": ([], "points"),
    "duplicate": ([DAY, DAY], "points.1.date"),
    "unordered": ([NEXT, DAY], "points.1.date"),
    "text": ([{**DAY, "value": "1"}], "points.0.value"),
    "bool": ([{**DAY, "value": True}], "points.0.value"),
    "null": ([{**DAY, "value": None}], "points.0.value"),
    "huge": ([DAY, {**NEXT, "value": 1e16}], "points.1.value"),
    "a time": ([{**DAY, "date": "2026-01-01T00:00:00Z"}], "points.0.date"),
    "week date": ([{**DAY, "date": "2026-W01-1"}], "points.0.date"),
    "no such day": ([{**DAY, "date": "2026-02-30"}], "points.0.date"),
    "seconds": ([{**DAY, "date": 1767225600}], "points.0.date"),
    "more fields": ([{**DAY, "unit": "x"}], "points.0.unit"),
    "too long": ([DAY, {"date": "2090-01-01", "value": 1}], "points"),
    "too many": ([DAY] * 10_001, "points"),
}


def rows() -> Any:
    """Every row of the lab's table."""
    table = f"{PREFIX}-lab"
    return dump_tables(boto3.client("dynamodb", region_name=REGION), [table])


@pytest.mark.parametrize("case", BAD_POINTS)
@pytest.mark.parametrize("path", ["/lab/datasets", "/lab/anomalies"])
def test_bad_points_are_named_and_nothing_is_written(lab: Lab, case: str, path: str) -> None:
    points, field = BAD_POINTS[case]
    head = {"name": "x", "source": "upload"} if path == "/lab/datasets" else {}
    before = rows()
    refused = lab.post(path, {**head, "points": points}, 422)
    assert refused["error"]["code"] == "VALIDATION_ERROR"
    assert field in [detail["field"] for detail in refused["error"]["details"]]
    assert rows() == before


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "1e9999", "-0"])
def test_numbers_that_are_none_are_refused(lab: Lab, literal: str) -> None:
    text = json.dumps({"name": "x", "source": "upload", "points": [{**DAY, "value": "?"}]})
    text = text.replace('"?"', literal)
    headers = {**lab.member.headers, "content-type": "application/json"}
    answer = lab.client.post("/lab/datasets", content=text, headers=headers)
    assert answer.status_code == 422, answer.text
    assert rows() == {f"{PREFIX}-lab": []}


def test_a_source_has_what_belongs_to_it(lab: Lab) -> None:
    cost = {"from": "2026-01-01", "to": "2026-01-31"}
    for body in (
        {"source": "upload"}, {"source": "cost"}, {"source": "cost", "points": [DAY]},
        {"source": "upload", "points": [DAY], "cost": cost},
        {"source": "cost", "cost": {"from": "2026-02-01", "to": "2026-01-01"}},
        {"source": "cost", "cost": {**cost, "account_id": "12"}}, {"source": "s3", "points": [DAY]},
    ):  # fmt: skip
        lab.post("/lab/datasets", {"name": "x", **body}, 422)


@pytest.mark.parametrize(
    ("values", "words"),
    [([1.0] * 20, "spans 20 days"), ([1.0, None, None, None] * 25 + [1.0], "of 101 days")],
    ids=["short", "gappy"],
)
def test_a_series_that_cannot_be_judged_starts_no_run(
    lab: Lab, values: list[float | None], words: str
) -> None:
    experiment = lab.experiment(lab.dataset(values)["id"])
    before = rows()
    path = f"/lab/experiments/{experiment['id']}/runs"
    refused = lab.post(path, {"model_type": "ridge"}, 422)["error"]
    assert refused["code"] == "SERIES_TOO_SHORT"
    assert words in refused["details"][0]["message"]
    for body in (
        {"model_type": "prophet"}, {"model_type": "ridge", "horizon": 91},
        {"model_type": "ridge", "folds": 2}, {"model_type": "ridge", "params": {"x": 1}},
    ):  # fmt: skip
        assert lab.post(path, body, 422)["error"]["code"] == "VALIDATION_ERROR"
    assert rows() == before


def test_five_mebibytes_of_points_are_read_and_no_more(lab: Lab) -> None:
    head = b'{"name":"x","source":"upload","points":[{"date":"2026-01-01","value":1}]'
    headers = {**lab.member.headers, "content-type": "application/json"}
    for size, status in ((5 * 1024 * 1024, 201), (5 * 1024 * 1024 + 1, 413)):
        body = head + b" " * (size - len(head) - 1) + b"}"
        answer = lab.client.post("/lab/datasets", content=body, headers=headers)
        assert answer.status_code == status, answer.text


def test_ten_thousand_points_fit(lab: Lab) -> None:
    rng = random.Random(1)
    made = lab.dataset([rng.gauss(0, 1e6) for _ in range(10_000)])
    assert made["point_count"] == 10_000
    lab.get("/lab/datasets")


def test_equal_data_parameters_and_code_give_equal_models(lab: Lab) -> None:
    """LAB-2."""
    runs = [lab.trained(wave(100), model_type="ridge") for _ in range(2)]
    assert runs[0]["metrics"] == runs[1]["metrics"]
    made = [
        lab.post(f"/lab/models/{run['model_id']}/predictions", {}, 201)["predictions"]
        for run in runs
    ]
    assert made[0] == made[1]
    assert len(made[0]) == 14


def test_public_functions_predict_and_count(lab: Lab) -> None:
    model = promoted(lab)
    experiment_id = lab.get(f"/lab/runs/{model['run_id']}")["experiment_id"]
    made = public.predict(lab.scope, None, experiment_id, 3, "u", effect_key="k")
    assert (made.model_id, len(made.days)) == (model["id"], 3)
    again = public.predict(lab.scope, model["id"], None, 3, "u", effect_key="k")
    assert again.id == made.id
    other = lab.experiment(lab.dataset(wave(60))["id"])
    with pytest.raises(public.NoPromotedModel):
        public.predict(lab.scope, None, other["id"], 3, "u")
    lab.start(other["id"])
    assert public.running(lab.scope) == (1, 2)
    later = system_clock() + timedelta(minutes=31)
    assert public.running(lab.scope, clock=lambda: later) == (0, 2)
    while not public.forget_tenant(lab.scope, 10):
        pass
    assert rows() == {f"{PREFIX}-lab": []}


def test_retraining_follows_costs_once_a_trigger(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = [CostPoint(START + timedelta(n), Decimal(str(v))) for n, v in enumerate(wave(120))]
    monkeypatch.setattr("tidegate.pipelines.public.cost_series", lambda *_: costs)
    cost = {"from": "2026-01-01", "to": "2026-04-30"}
    dataset = lab.post("/lab/datasets", {"name": "All", "source": "cost", "cost": cost}, 201)
    experiment = lab.experiment(dataset["id"])
    assert public.retrain(lab.scope, "monday") == [], "nothing is in production"
    run = lab.start(experiment["id"], params={"damping": 0.95})
    lab.train(run["id"])
    model_id = lab.get(f"/lab/runs/{run['id']}")["model_id"]
    lab.post(f"/lab/models/{model_id}/promote", {})
    promoted(lab)  # on uploaded data: left alone
    (started,) = public.retrain(lab.scope, "monday")
    assert public.retrain(lab.scope, "monday") == [started]
    assert lab.get(f"/lab/runs/{started}")["params"] == {"season": 7, "damping": 0.95}
    moved = lab.get(f"/lab/experiments/{experiment['id']}")
    assert moved["dataset_id"] != dataset["id"]
    assert moved["run_count"] == 2
    lab.train(started)
    assert lab.get(f"/lab/models/{model_id}")["stage"] == "production", "a person promotes"
