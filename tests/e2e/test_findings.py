"""Findings on the deployed platform: connect, discover, find with prices, except, sum up."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tidegate.discovery.public import declared_actions
from tidegate_kit.clock import iso

from tests.e2e.conftest import Owner, RunningCloud
from tests.e2e.test_discovery import connect, discovered

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]
ACCOUNT = "444400000061"


def get(owner: Owner, path: str) -> dict[str, Any]:
    answer = owner.http.get(path)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def until(what: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.5)


def test_waste_is_found_priced_excepted_and_summed_up(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner = new_owner()
    ec2 = cloud.aws("ec2", ACCOUNT)
    ec2.create_volume(AvailabilityZone="us-east-1a", Size=100, VolumeType="gp2")
    ec2.allocate_address(Domain="vpc")
    now = {"checks": {"ebs-unattached": {"days": 0}, "eip-idle": {"days": 0}}}
    assert owner.http.put("/waste/thresholds", json=now).status_code == 200
    onboarding_id, _ = connect(cloud, owner, ACCOUNT, declared_actions())
    discovered(owner, onboarding_id)

    # The end of a discovery is an event on the bus, which starts a refresh.
    until(lambda: get(owner, "/waste/findings?status=open")["total"] >= 2)
    waste = {f["check_id"]: f for f in get(owner, "/waste/findings?page_size=100")["findings"]}
    volume = waste["ebs-unattached"]
    assert volume["saving"]["monthly"] == "10.00"
    assert volume["saving"]["prices"][0]["unit_price"] == "0.1"
    assert waste["eip-idle"]["saving"]["monthly"] == "3.65"
    until(lambda: get(owner, "/storage/findings")["total"] >= 1)
    storage = get(owner, "/storage/findings?check_id=ebs-gp2-to-gp3")["findings"]
    assert [f["saving"]["monthly"] for f in storage] == ["2.00"]

    started = owner.http.post("/waste/refresh", json={})
    assert started.status_code == 202, started.text
    busy = owner.http.post("/waste/refresh", json={})
    assert busy.status_code in (202, 409), busy.text
    until(lambda: owner.http.post("/storage/refresh", json={}).status_code == 202)
    summary = get(owner, "/waste/summary")
    assert (summary["open"], summary["identified_monthly"]) == (2, "13.65")

    excepted = owner.http.post(
        "/waste/exceptions",
        json={
            "finding_id": volume["id"],
            "owner": "ops",
            "reason": "kept for the migration",
            "expires_at": iso(datetime.now(UTC) + timedelta(days=30)),
        },
    )
    assert excepted.status_code == 201, excepted.text
    summary = get(owner, "/waste/summary")
    assert (summary["open"], summary["identified_monthly"]) == (1, "3.65")
    dashboard = get(owner, "/client/dashboard")
    assert Decimal(dashboard["savings"]["identified_monthly"]) == Decimal("5.65")
    assert dashboard["findings"]["open"] == 2
    assert dashboard["findings"]["top"][0]["check_id"] == "eip-idle"

    gone = owner.http.delete(f"/client/accounts/{onboarding_id}")
    assert gone.status_code == 200, gone.text
    assert gone.json()["cascade"]["findings"] == 3
    assert get(owner, "/waste/findings")["total"] == 0
    assert get(owner, "/waste/summary")["open"] == 0
    assert owner.http.get(f"/waste/findings/{volume['id']}").status_code == 404
