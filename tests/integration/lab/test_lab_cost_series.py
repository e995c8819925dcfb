"""The project's own cost series: a FOCUS file, cost-ingest, a dataset, models and their gate."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from tidegate.lab.routes import router
from tidegate.pipelines.repository import DynamoCostSeries
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.lab import Lab
from tests.builders.members import sign_in
from tests.builders.pipelines import ONE, START, TWO, World
from tests.fakes.budgets import MemoryBudgets
from tests.fakes.pipelines import MemoryExecutions

DAYS = 210
FIRST = START.date() - timedelta(days=DAYS)
HEADER = "ChargePeriodStart,SubAccountId,ServiceName,x_UsageType,BilledCost,BillingCurrency"
WEEK = (1.06, 1.08, 1.07, 1.05, 1.02, 0.87, 0.85)  # Monday first: offices rest on week-ends
COMPUTE, DATABASE = "Amazon Elastic Compute Cloud - Compute", "Amazon Relational Database Service"
STORAGE, FLAT = "Amazon Simple Storage Service", "AmazonCloudWatch"
MODELS = ("seasonal_naive", "holt_winters", "ridge")


def busy(base: float, growth: float) -> Callable[[int, random.Random], float]:
    """A service that follows the week and grows by a share of its start each day."""

    def cost(day: int, rng: random.Random) -> float:
        weekday = (FIRST + timedelta(days=day)).weekday()
        return base * WEEK[weekday] * (1 + growth * day) * (1 + rng.gauss(0, 0.02))

    return cost


def flat(day: int, rng: random.Random) -> float:
    """A service of which nothing but its level can be known."""
    return 12 + rng.gauss(0, 0.6)


SERVICES: dict[str, Callable[[int, random.Random], float]] = {
    COMPUTE: busy(140, 0.004),
    DATABASE: busy(60, 0.002),
    STORAGE: busy(25, 0.003),
}


def focus_file() -> str:
    """210 days of two accounts; always the same."""
    rng = random.Random(20260310)
    rows = [HEADER]
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        for account, share in ((ONE, 1.0), (TWO, 0.4)):
            for service, cost in SERVICES.items():
                amount = share * cost(number, rng)
                rows.append(f"{day}T00:00:00Z,{account},{service},use,{amount:.6f},USD")
        rows.append(f"{day}T00:00:00Z,{ONE},{FLAT},use,{flat(number, rng):.6f},USD")
    return "\n".join(rows) + "\n"


@pytest.fixture
def lab(platform: Settings) -> Lab:
    """A lab whose tenant's costs came through cost-ingest."""
    lab = Lab(ApiClient([router], platform), sign_in())
    world = World(MemoryExecutions(), DynamoCostSeries(lab.scope), MemoryBudgets().of("tenant"))
    world.uploaded["costs.csv"] = ("1", focus_file())
    ended = world.run("cost-ingest", {"focus_file": "costs.csv"})
    assert ended.status == "completed", ended
    assert ended.stages[1].items == 2 * DAYS, "the days of both accounts"
    return lab


def dataset(lab: Lab, service: str | None) -> Any:
    """A dataset of what a service cost in all accounts."""
    last: date = FIRST + timedelta(days=DAYS - 1)
    cost = {"from": FIRST.isoformat(), "to": last.isoformat()}
    if service is not None:
        cost["service"] = service
    made = lab.post("/lab/datasets", {"name": "Costs", "source": "cost", "cost": cost}, 201)
    assert (made["point_count"], made["unit"]) == (DAYS, "USD")
    return made


def runs(lab: Lab, service: str | None) -> dict[str, Any]:
    """A completed run of each model type."""
    experiment = lab.experiment(dataset(lab, service)["id"])
    found = {}
    for name in MODELS:
        started = lab.start(experiment["id"], model_type=name)
        assert lab.train(started["id"])
        run = found[name] = lab.get(f"/lab/runs/{started['id']}")
        assert run["status"] == "completed", run
        print(f"{service or 'all services'}: {name} MASE {run['metrics']['mase']:.3f}")
    return found


@pytest.mark.parametrize("service", [None, COMPUTE])
def test_models_beat_the_baseline_on_costs_with_structure(lab: Lab, service: str | None) -> None:
    found = runs(lab, service)
    assert found["seasonal_naive"]["beats_baseline"] is False
    for name in ("holt_winters", "ridge"):
        run = found[name]
        assert run["beats_baseline"] is True
        assert run["metrics"]["mase"] < run["baseline_metrics"]["mase"]
        promoted = lab.post(f"/lab/models/{run['model_id']}/promote", {"reason": "better"})
        assert promoted["stage"] == "production"


def test_no_model_is_promoted_on_a_flat_service(lab: Lab) -> None:
    for run in runs(lab, FLAT).values():
        assert run["beats_baseline"] is False
        refused = lab.post(f"/lab/models/{run['model_id']}/promote", {"reason": "try"}, 409)
        assert refused["error"]["code"] == "GATE_NOT_PASSED"
