"""Series, and a lab driven over HTTP with its training run in this process."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from tidegate.lab.wiring import services_of
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn

START = date(2026, 1, 1)
WEEK = (3.0, 2.0, 1.0, 0.0, -1.0, -4.0, -5.0)  # added to each day of the week


def daily(values: Sequence[float | None], start: date = START) -> list[dict[str, Any]]:
    """Points of consecutive days; None is a gap."""
    return [
        {"date": (start + timedelta(days=number)).isoformat(), "value": value}
        for number, value in enumerate(values)
        if value is not None
    ]


def wave(days: int, seed: int = 1, slope: float = 0.2, noise: float = 2.0) -> list[float]:
    """A weekly pattern on a rising line."""
    rng = random.Random(seed)
    return [
        round(100 + slope * day + 2 * WEEK[day % 7] + rng.gauss(0, noise), 6) for day in range(days)
    ]


def white_noise(days: int, seed: int = 1) -> list[float]:
    """Noise around a level."""
    rng = random.Random(seed)
    return [100 + rng.gauss(0, 3) for _ in range(days)]


def random_walk(days: int, seed: int = 1) -> list[float]:
    """Each day the day before plus noise."""
    rng = random.Random(seed)
    level, values = 100.0, []
    for _ in range(days):
        level += rng.gauss(0, 1)
        values.append(level)
    return values


def growth(days: int, seed: int = 1) -> list[float]:
    """A weekly pattern on an exponential."""
    rng = random.Random(seed)
    return [
        100 * math.exp(0.004 * day) + 2 * WEEK[day % 7] + rng.gauss(0, 2) for day in range(days)
    ]


@dataclass
class Lab:
    """One member's lab. Calls demand the status they expect."""

    client: ApiClient
    member: SignedIn

    @property
    def scope(self) -> TenantScope:
        """The member's tenant."""
        return TenantScope(self.member.tenant_id)

    def get(self, path: str) -> Any:
        """The answer of a GET."""
        answer = self.client.get(path, headers=self.member.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, status: int = 200, **headers: str) -> Any:
        """The answer of a POST."""
        answer = self.client.post(path, json=body, headers={**self.member.headers, **headers})
        assert answer.status_code == status, answer.text
        return answer.json()

    def delete(self, path: str, status: int = 200) -> Any:
        """The answer of a DELETE."""
        answer = self.client.delete(path, headers=self.member.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def dataset(self, values: Sequence[float | None], **changes: Any) -> Any:
        """Upload values of consecutive days."""
        body = {"name": "Costs", "source": "upload", "points": daily(values), **changes}
        return self.post("/lab/datasets", body, 201)

    def experiment(self, dataset_id: str, **changes: Any) -> Any:
        """An experiment on a dataset."""
        return self.post(
            "/lab/experiments", {"name": "Try", "dataset_id": dataset_id, **changes}, 201
        )

    def start(self, experiment_id: str, **body: Any) -> Any:
        """Queue a run."""
        given = {"model_type": "holt_winters", **body}
        return self.post(f"/lab/experiments/{experiment_id}/runs", given, 202)

    def train(self, run_id: str) -> bool:
        """What the training task does."""
        try:
            return services_of(self.scope).training.train(run_id)
        except NotFound:
            pytest.fail("the run was not stored for the tenant of the member who started it")

    def trained(self, values: Sequence[float | None], **body: Any) -> Any:
        """A completed run on a new dataset and experiment."""
        experiment = self.experiment(self.dataset(values)["id"])
        started = self.start(experiment["id"], **body)
        assert self.train(started["id"])
        return self.get(f"/lab/runs/{started['id']}")
