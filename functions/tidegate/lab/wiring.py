"""Builds the lab's services on this deployment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from importlib import import_module
from typing import Any

from tidegate_kit.auth.principal import Principal
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import ConditionFailed, Store, Transaction, configure_store
from tidegate_kit.ids import new_id
from tidegate_kit.observability import identify
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.lab.domain import CostFilter, Model, Point
from tidegate.lab.errors import PromotedMeanwhile
from tidegate.lab.repository.datasets import DynamoDatasets
from tidegate.lab.repository.experiments import DynamoExperiments
from tidegate.lab.repository.models import DynamoModels
from tidegate.lab.repository.ports import Datasets, Experiments, Models, Runs
from tidegate.lab.repository.runs import DynamoRuns
from tidegate.lab.service.datasets import DatasetService
from tidegate.lab.service.experiments import ExperimentService
from tidegate.lab.service.machine import Machine
from tidegate.lab.service.pictures import Pictures
from tidegate.lab.service.predictions import PredictionService
from tidegate.lab.service.promotion import Asked, Gatekeeper, PromotionService, Verdict
from tidegate.lab.service.retraining import Retraining
from tidegate.lab.service.runs import RunService
from tidegate.lab.service.training import Training
from tidegate.lab.settings import LabFollowSettings, LabSettings


@dataclass(frozen=True)
class Services:
    """The services of one tenant."""

    datasets: DatasetService
    experiments: ExperimentService
    runs: RunService
    models: Models
    pictures: Pictures
    predictions: PredictionService
    training: Training
    retraining: Retraining


def services_of(scope: TenantScope, clock: Clock = system_clock) -> Services:
    """The services of a tenant."""
    datasets: Datasets = DynamoDatasets(scope)
    experiments: Experiments = DynamoExperiments(scope)
    runs: Runs = DynamoRuns(scope)
    models: Models = DynamoModels(scope)
    costs = partial(costs_of, scope)
    run_service = RunService(datasets, experiments, runs, clock)
    return Services(
        datasets=DatasetService(datasets, costs),
        experiments=ExperimentService(experiments, clock),
        runs=run_service,
        models=models,
        pictures=Pictures(datasets, run_service, models),
        predictions=PredictionService(experiments, models),
        training=Training(datasets, experiments, runs, clock),
        retraining=Retraining(datasets, experiments, models, run_service, costs, clock),
    )


def promotions_of(principal: Principal, clock: Clock = system_clock) -> PromotionService:
    """Promotions by a caller."""
    scope = principal.tenant
    models = DynamoModels(scope)
    keeper: Callable[[], Gatekeeper] = partial(Governance, principal, models, clock)
    return PromotionService(DynamoExperiments(scope), models, keeper, clock)


def costs_of(scope: TenantScope, cost: CostFilter) -> list[Point]:
    """Daily costs by the pipelines' series."""
    # Pipelines ask the lab to retrain and the lab asks them for costs: no import either way.
    pipelines: Any = import_module("tidegate.pipelines.public")
    found = pipelines.cost_series(
        scope, cost.account_id, cost.service, cost.usage_type, cost.first, cost.last
    )
    return [Point(point.date, float(point.amount)) for point in found]


class Governance:
    """The tenant's policies and approvals, asked for one caller."""

    def __init__(self, principal: Principal, models: Models, clock: Clock) -> None:
        self._principal = principal
        self._models = models
        self._clock = clock

    def decide(self, model: Model) -> Verdict:
        """See promotion.Gatekeeper."""
        from tidegate.governance import public as governance

        said = governance.decide(
            self._principal.tenant,
            governance.policy_principal(self._principal),
            "model.promote",
            governance.PolicyResource(arn=model.id, type="lab:model", reversible=True),
            governance.PolicyContext(),
            clock=self._clock,
        )
        return Verdict(
            said.effect, said.quorum, said.approver_role, said.expiry_hours, said.policy_ids
        )

    def approval(self, approval_id: str) -> Asked:
        """See promotion.Gatekeeper."""
        from tidegate.governance import public as governance

        found = governance.approval(self._principal.tenant, approval_id, clock=self._clock)
        return Asked(found.id, found.status, found.subject_hash)

    def ask(
        self, model: Model, subject_hash: str, verdict: Verdict, reason: str, now: datetime
    ) -> str:
        """See promotion.Gatekeeper."""
        from tidegate.governance import public as governance

        new = governance.NewApproval(
            id=new_id(), subject_type="model_promotion", subject_id=model.id,
            subject_hash=subject_hash, title=f"Promote {model.name}", description=reason,
            requested_by=self._principal.user_id, quorum=verdict.quorum,
            approver_role=verdict.approver_role, policy_ids=verdict.policy_ids,
            expires_at=now + timedelta(hours=verdict.expiry_hours),
        )  # fmt: skip
        writes = Transaction()
        self._models.note_approval(writes, model, new.id)
        governance.add_approval(writes, self._principal.tenant, new, now)
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise PromotedMeanwhile from lost
        return new.id


def start_task() -> Settings:
    """What the training function needs before its first read; once per process."""
    settings: LabSettings = settings_of(LabSettings)
    _configure(settings)
    return settings


def machine() -> Machine:
    """The machine that trains."""
    settings: LabFollowSettings = settings_of(LabFollowSettings)
    _configure(settings)
    client: Any = platform_client("stepfunctions", settings.aws_region)
    return Machine(client, settings.lab_training_machine_arn)


@cache
def _configure(settings: Settings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "lab")
