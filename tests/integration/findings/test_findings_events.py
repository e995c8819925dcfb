"""discovery.completed starts one refresh of its account, however often it comes (EVT-5)."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from statelint.linter import Linter
from tidegate.findings import tasks, wiring
from tidegate_kit.errors import ApiError
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import add_account
from tests.builders.findings_cases import CASES
from tests.builders.findings_store import definition, make_bucket_and_machine, record
from tests.builders.settings import REGION


def event(tenant_id: str, account_id: str, id_: str) -> dict[str, Any]:
    data = {"run_id": new_id(), "onboarding_id": new_id(), "account_id": account_id}
    return {"detail": {"id": id_, "tenant_id": tenant_id, "data": {**data, "status": "completed"}}}


@pytest.fixture
def machine(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in make_bucket_and_machine().items():
        monkeypatch.setenv(name, value)
    return value


def executions(machine: str) -> int:
    sfn = boto3.client("stepfunctions", region_name=REGION)
    return len(sfn.list_executions(stateMachineArn=machine)["executions"])


@pytest.mark.hazard("H2")
@pytest.mark.bite("tidegate.findings.tasks.named_by", lambda detail: new_id())
def test_an_event_that_comes_three_times_is_one_refresh(machine: str) -> None:
    """H2: discovery.completed 3x gives one refresh, named by the event, with one execution."""
    account = add_account(new_id())
    record(account, [CASES["nat-idle"].found])
    given = event(account.tenant_id, account.account_id, new_id())
    answers = [tasks.follow_discovery(given, None) for _ in range(3)]
    assert answers == [{"refresh_id": given["detail"]["id"]}] * 3
    assert executions(machine) == 1
    scope = TenantScope(account.tenant_id)
    stored = wiring.refreshes_of(scope).refresh(given["detail"]["id"])
    assert stored is not None
    assert (stored.trigger, stored.account_ids) == ("event", (account.account_id,))
    other = event(account.tenant_id, account.account_id, new_id())
    assert tasks.follow_discovery(other, None)["refresh_id"] == other["detail"]["id"]
    assert executions(machine) == 2, "an event takes no lease: discoveries may end together"


@pytest.mark.hazard("G25")
@pytest.mark.bite("tidegate.findings.tasks.gone", returns=False)
def test_an_event_of_a_tenant_that_is_gone_is_dropped(machine: str) -> None:
    """G25: a late discovery.completed of a deleted tenant starts nothing and writes nothing."""
    tenant_id = new_id()
    given = event(tenant_id, "222222222222", new_id())
    try:
        answer = tasks.follow_discovery(given, None)
    except ApiError as error:
        pytest.fail(f"it was not dropped: {error}")
    assert answer == {"refresh_id": None}
    assert executions(machine) == 0
    scope = TenantScope(tenant_id)
    assert wiring.refreshes_of(scope).refresh(given["detail"]["id"]) is None


def test_the_definition_is_valid() -> None:
    assert Linter.validate(definition()) == []
