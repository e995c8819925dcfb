"""Pipelines on the deployed platform: real machine, real functions, a customer's account."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from tidegate.discovery.public import declared_actions
from tidegate_kit.clock import system_clock

from tests.e2e.conftest import Owner, RunningCloud
from tests.e2e.test_discovery import connect, discovered, seed

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]
HEADER = "ChargePeriodStart,SubAccountId,ServiceName,BilledCost,BillingCurrency,x_UsageType\n"


def ended(owner: Owner, name: str, parameters: dict[str, Any], seconds: float = 240) -> Any:
    """The execution of a run, once it is over."""
    begun = owner.http.post(f"/pipelines/{name}/run", json={"parameters": parameters})
    assert begun.status_code == 202, begun.text
    path = f"/pipelines/executions/{begun.json()['execution_id']}"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = owner.http.get(path).json()
        if found["status"] != "running":
            return found
        time.sleep(0.5)
    pytest.fail(f"{name} still runs after {seconds} s: {found}")


def scheduled(cloud: RunningCloud, tenant_id: str) -> dict[str, Any]:
    """The stored pipeline that connecting an account gives a schedule to, once it is there."""
    dynamodb = cloud.aws("dynamodb")
    names = dynamodb.list_tables()["TableNames"]
    table = next(name for name in names if name.endswith("-pipelines"))
    key = {"pk": {"S": f"T#{tenant_id}"}, "sk": {"S": "PIPE#savings-ledger"}}
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answer = dynamodb.get_item(TableName=table, Key=key)
        if "Item" in answer and "next_at" in answer["Item"]:
            item: dict[str, Any] = answer["Item"]
            return item
        time.sleep(0.5)
    pytest.fail("no schedule was stored for a tenant with an account")


def test_a_cost_file_becomes_the_dashboards_costs(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    account, owner = "555500000001", new_owner()
    seed(cloud, account)
    onboarding_id, _ = connect(cloud, owner, account, declared_actions())
    tenant_id = owner.profile["tenant_id"]
    assert scheduled(cloud, tenant_id)["gsi1pk"]["S"] == "DUE"
    today = system_clock().date().isoformat()
    rows = f"{today}T00:00:00Z,{account},AmazonEC2,12.5,USD,BoxUsage\n"
    bucket = cloud.outputs["stack_outputs"]["DataBucketName"]
    upload = cloud.aws("s3").put_object
    upload(Bucket=bucket, Key=f"focus/{tenant_id}/now.csv", Body=(HEADER + rows).encode())
    done = ended(owner, "cost-ingest", {"focus_file": "now.csv"})
    assert (done["status"], [one["items"] for one in done["stages"]]) == ("completed", [0, 1])
    shown = owner.http.get("/client/dashboard").json()["costs"]
    assert (shown["month_to_date"], shown["last_month"]) == ("12.50", None)
    upload(Bucket=bucket, Key=f"focus/{tenant_id}/bad.csv", Body=(HEADER + "x\n").encode())
    bad = ended(owner, "cost-ingest", {"focus_file": "bad.csv"})
    assert bad["status"] == "completed_with_gaps"
    assert bad["stages"][1]["errors"][0]["code"] == "FOCUS_INVALID"
    assert "row 2" in bad["stages"][1]["errors"][0]["message"]
    discovered(owner, onboarding_id)
    gone = owner.http.delete(f"/client/accounts/{onboarding_id}")
    assert gone.status_code == 200, gone.text
    assert owner.http.get("/client/dashboard").json()["costs"]["month_to_date"] is None


def test_a_scan_discovers_and_is_followed_by_a_refresh(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    account, owner = "555500000002", new_owner()
    seed(cloud, account)
    onboarding_id, _ = connect(cloud, owner, account, declared_actions())
    discovered(owner, onboarding_id)
    done = ended(owner, "inventory-scan", {})
    assert done["status"] == "completed", done
    assert [one["name"] for one in done["stages"]] == ["discover", "refresh-findings"]
    end = time.monotonic() + 120
    while time.monotonic() < end:
        refreshes = owner.http.get("/pipelines/findings-refresh/executions").json()["executions"]
        if refreshes and refreshes[0]["status"] != "running":
            break
        time.sleep(0.5)
    assert [(one["trigger"], one["status"]) for one in refreshes] == [("event", "completed")]
    trained = ended(owner, "model-retrain", {})
    assert trained["status"] == "completed", trained


def test_an_account_without_cost_explorer_is_a_gap(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    account, owner = "555500000003", new_owner()
    connect(cloud, owner, account, declared_actions())
    done = ended(owner, "cost-ingest", {})
    assert done["status"] == "completed_with_gaps", done
    assert len(done["stages"][0]["errors"]) == 1
    budget = owner.http.get("/pipelines/budget").json()
    assert budget["reserved"] == "0.00"
