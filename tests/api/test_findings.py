"""Findings over the whole pipeline (contract 2.10 but for plans; FND-1 to FND-4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from tidegate.discovery.public import Coverage
from tidegate.findings.public import open_summary
from tidegate.findings.routes import router
from tidegate.onboarding.domain import Registration
from tidegate_kit.clock import FixedClock, iso
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import add_account
from tests.builders.api import ApiClient
from tests.builders.findings import NOW, Line, ago, covered, line
from tests.builders.findings import value as measured
from tests.builders.findings_cases import CASES
from tests.builders.findings_store import make_bucket_and_machine, record, run_refresh
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import REGION
from tests.fakes.tables import dump_tables

Call = Callable[..., dict[str, Any]]
TABLES = ("tidegate-test-findings", "tidegate-test-discovery")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW + timedelta(minutes=5))


@pytest.fixture
def client(platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    for name, value in make_bucket_and_machine().items():
        monkeypatch.setenv(name, value)
    return ApiClient([router], platform, clock)


@pytest.fixture
def member(client: ApiClient, clock: FixedClock) -> SignedIn:
    return sign_in(roles=("client",), clock=clock)


@pytest.fixture
def account(member: SignedIn, clock: FixedClock) -> Registration:
    return add_account(member.tenant_id, clock=clock)


@pytest.fixture
def call(client: ApiClient, member: SignedIn, clock: FixedClock) -> Call:
    signed = {clock(): member}

    def send(method: str, path: str, body: Any = None, expect: int = 200) -> dict[str, Any]:
        more = {} if body is None else {"json": body}
        if clock() not in signed:  # tokens of an earlier hour have expired
            signed[clock()] = sign_in(tenant_id=member.tenant_id, roles=("client",), clock=clock)
        headers = signed[clock()].headers
        answer = client.request(method, f"/api{path}", headers=headers, **more)
        assert answer.status_code == expect, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return send


@pytest.fixture
def refreshed(call: Call, member: SignedIn, clock: FixedClock) -> Callable[..., None]:
    """Refresh both groups to the end."""

    def run(groups: Sequence[str] = ("waste", "storage")) -> None:
        for group in groups:
            started = call("POST", f"/{group}/refresh", {}, 202)
            assert started["status"] == "running"
            run_refresh(TenantScope(member.tenant_id), started["execution_id"], clock)

    return run


def everything() -> list[Line]:
    lines: dict[str, Line] = {}
    for case in CASES.values():
        for one in (case.found, *case.others):
            lines[one["arn"]] = one
    return list(lines.values())


def test_before_any_refresh_nothing_is_found_and_nothing_is_claimed(call: Call) -> None:
    assert call("GET", "/waste/findings")["findings"] == []
    assert call("GET", "/waste/summary") == {
        "identified_monthly": "0.00", "open": 0, "priced": 0, "unpriced": 0,
        "coverage": {"found": 0, "clean": 0, "unknown": 0, "percent": None},
        "by_check": [], "as_of": None,
    }  # fmt: skip
    checks = call("GET", "/waste/checks")["checks"]
    assert len(checks) + len(call("GET", "/storage/checks")["checks"]) == 32
    assert all(check["states"] == [] and check["required_actions"] for check in checks)


def test_a_refresh_finds_what_is_wasted_with_prices(
    call: Call, account: Registration, refreshed: Callable[..., None]
) -> None:
    record(account, everything())
    refreshed()
    page = call("GET", "/waste/findings?page_size=100")
    assert page["total"] == len(page["findings"]) >= 19
    found = next(f for f in page["findings"] if f["check_id"] == "ebs-unattached")
    assert call("GET", f"/waste/findings/{found['id']}") == found
    call("GET", f"/storage/findings/{found['id']}", expect=404)
    assert found["saving"]["monthly"] == "17.00"
    assert found["action"] == {"id": "ec2.delete_volume", "reversible": True, "undo_hours": 72}
    assert found["status"] == "open"
    assert found["account_id"] == account.account_id
    summary = call("GET", "/waste/summary")
    listed = [Decimal(f["saving"]["monthly"]) for f in page["findings"]]
    assert Decimal(summary["identified_monthly"]) == sum(listed)
    assert (summary["open"], summary["priced"]) == (page["total"], len(listed))
    assert summary["as_of"] == iso(NOW)
    assert summary["coverage"]["percent"] is not None
    monthly = {one["check_id"]: one["monthly"] for one in summary["by_check"]}
    assert monthly["eni-unused"] == "0.00"
    states = {
        check["check_id"]: check["states"][0]["state"]
        for check in call("GET", "/storage/checks")["checks"]
    }
    assert set(states.values()) == {"found"}


def test_a_refresh_again_changes_nothing(
    call: Call, account: Registration, refreshed: Callable[..., None]
) -> None:
    record(account, everything())
    refreshed()
    before = call("GET", "/waste/findings?page_size=100"), call("GET", "/waste/summary")
    refreshed()
    assert (call("GET", "/waste/findings?page_size=100"), call("GET", "/waste/summary")) == before


def test_gone_where_clean_is_resolved_and_unknown_changes_nothing(
    call: Call, account: Registration, refreshed: Callable[..., None], clock: FixedClock
) -> None:
    volume, nat = CASES["ebs-unattached"], CASES["nat-idle"]
    record(account, [volume.found, nat.found])
    refreshed()
    denied = Coverage(
        REGION, "ec2-nat-gateways", "denied", False, "the role has no permission",
        ("ec2:DescribeNatGateways",),
    )  # fmt: skip
    clock.advance(days=1)
    record(
        account,
        [volume.cleaned],
        coverage=covered(without={"ec2-nat-gateways": denied}),
        at=NOW + timedelta(days=1),
    )
    refreshed()
    statuses = {
        f["check_id"]: f["status"] for f in call("GET", "/waste/findings?page_size=100")["findings"]
    }
    assert statuses["ebs-unattached"] == "resolved"
    assert statuses["nat-idle"] == "open"
    state = next(c for c in call("GET", "/waste/checks")["checks"] if c["check_id"] == "nat-idle")
    assert state["states"][0]["state"] == "unknown"
    assert state["states"][0]["missing_actions"] == ["ec2:DescribeNatGateways"]
    assert call("GET", "/waste/findings?status=resolved")["total"] == 1
    assert (
        call("GET", "/waste/summary")["open"] == call("GET", "/waste/findings?status=open")["total"]
    )
    clock.advance(days=1)
    record(account, [volume.found, nat.found], at=NOW + timedelta(days=2))
    refreshed()
    again = call("GET", "/waste/findings?check_id=ebs-unattached")["findings"]
    assert [(f["status"], f["first_seen_at"]) for f in again] == [("open", iso(NOW))]


def test_an_exception_takes_a_finding_out_of_the_totals_until_it_expires(
    call: Call, account: Registration, refreshed: Callable[..., None], clock: FixedClock
) -> None:
    record(account, [CASES["ebs-unattached"].found, CASES["nat-idle"].found])
    refreshed()
    whole = Decimal(call("GET", "/waste/summary")["identified_monthly"])
    found = call("GET", "/waste/findings?check_id=nat-idle")["findings"][0]
    body = {
        "finding_id": found["id"], "owner": "ops", "reason": "kept for a release",
        "expires_at": iso(clock() + timedelta(days=10)),
    }  # fmt: skip
    made = call("POST", "/waste/exceptions", body, 201)
    assert made["active"] is True
    assert made["check_id"] == "nat-idle"
    assert call("POST", "/waste/exceptions", body, 409)["error"]["code"] == "EXCEPTION_EXISTS"
    shown = call("GET", f"/waste/findings/{found['id']}")
    assert (shown["status"], shown["exception"]["id"]) == ("excepted", made["id"])
    summary = call("GET", "/waste/summary")
    assert Decimal(summary["identified_monthly"]) == whole - Decimal("32.85")
    refreshed()
    assert call("GET", "/waste/summary") == summary
    assert call("GET", "/waste/findings?status=excepted")["total"] == 1
    clock.advance(days=11)
    assert call("GET", f"/waste/findings/{found['id']}")["status"] == "open"
    assert Decimal(call("GET", "/waste/summary")["identified_monthly"]) == whole
    assert call("GET", "/waste/exceptions")["exceptions"][0]["active"] is False
    again = {**body, "expires_at": iso(clock() + timedelta(days=10))}
    made = call("POST", "/waste/exceptions", again, 201)
    assert call("GET", "/waste/findings?status=open")["total"] == 1
    assert call("DELETE", f"/waste/exceptions/{made['id']}") == {"id": made["id"], "deleted": True}
    assert call("GET", "/waste/findings?status=open")["total"] == 2
    call("DELETE", f"/waste/exceptions/{made['id']}", expect=404)


def test_no_saving_is_promised_twice(
    call: Call, account: Registration, refreshed: Callable[..., None], clock: FixedClock
) -> None:
    """An unattached gp2 volume: deleting it or changing its type, and never both (ADR 0027)."""
    found = line(
        "ec2:volume", "vol-both", state="available",
        attributes={"volume_type": "gp2", "size_gib": 2000, "created_at": ago(60)},
        metrics={"attached_samples": measured(None)},
    )  # fmt: skip
    record(account, [found])
    refreshed()
    scope = TenantScope(account.tenant_id)

    def totals() -> tuple[str, str, Decimal]:
        shown = [call("GET", f"/{name}/summary") for name in ("waste", "storage")]
        for one in shown:
            assert one["identified_monthly"] == one["by_check"][0]["monthly"]
        both = open_summary(scope, clock, top=0).identified_monthly
        return shown[0]["identified_monthly"], shown[1]["identified_monthly"], both

    assert totals() == ("200.00", "20.00", Decimal(200))
    refreshed(["storage"])
    assert totals() == ("200.00", "20.00", Decimal(200)), "the other group's checks did not run"
    simulated = call("POST", "/waste/simulate", {})
    assert simulated["before"]["monthly"] == "200.00"
    greatest = call("GET", "/waste/findings")["findings"][0]
    until = iso(clock() + timedelta(days=9))
    wish = {"finding_id": greatest["id"], "owner": "ops", "reason": "it is kept"}
    call("POST", "/waste/exceptions", {**wish, "expires_at": until}, 201)
    assert open_summary(scope, clock, top=0).identified_monthly == Decimal(20)


def test_thresholds_are_merged_and_count_from_the_next_refresh_on(
    call: Call, account: Registration, refreshed: Callable[..., None]
) -> None:
    record(account, [CASES["ebs-unattached"].found])
    defaults = call("GET", "/waste/thresholds")["checks"]
    assert defaults["ebs-unattached"] == {"days": 7}
    set_ = call("PUT", "/waste/thresholds", {"checks": {"ebs-unattached": {"days": 90}}})
    assert set_["checks"] == {**defaults, "ebs-unattached": {"days": 90}}
    refreshed(["waste"])
    assert call("GET", "/waste/findings")["total"] == 0
    for wrong in (
        {"nope": {"days": 1}},
        {"ebs-unattached": {"nope": 1}},
        {"ebs-unattached": {"days": -1}},
        {"ebs-unattached": {"days": "many"}},
        {"ebs-unattached": {"days": True}},
    ):
        answer = call("PUT", "/waste/thresholds", {"checks": wrong}, 422)
        assert answer["error"]["details"]
    assert call("GET", "/waste/thresholds") == set_


def test_simulating_tells_what_other_thresholds_would_find_and_writes_nothing(
    call: Call, account: Registration
) -> None:
    record(account, [CASES["ebs-unattached"].found])
    later = CASES["ebs-unattached"].cleaned
    record(account, [later], at=NOW + timedelta(days=1))
    tables = dump()
    body = {
        "check_ids": ["ebs-unattached"], "thresholds": {"ebs-unattached": {"days": 90}},
        "snapshot_at": iso(NOW + timedelta(hours=1)),
    }  # fmt: skip
    answer = call("POST", "/waste/simulate", body)
    assert answer == {
        "snapshot_at": iso(NOW),
        "before": {"found": 1, "monthly": "17.00"},
        "after": {"found": 0, "monthly": "0.00"},
        "changed": [
            {
                "check_id": "ebs-unattached", "resource_arn": later["arn"],
                "before": "found", "after": "clean",
            }
        ],
    }  # fmt: skip
    assert call("POST", "/waste/simulate", body) == answer
    newest = call("POST", "/waste/simulate", {"check_ids": ["ebs-unattached"]})
    assert newest["before"] == {"found": 0, "monthly": "0.00"}
    assert dump() == tables


def dump() -> dict[str, Any]:
    return dump_tables(boto3.client("dynamodb", region_name=REGION), TABLES)


def test_one_refresh_at_a_time(
    call: Call, account: Registration, member: SignedIn, clock: FixedClock
) -> None:
    record(account, everything())
    first = call("POST", "/waste/refresh", {}, 202)
    assert call("POST", "/storage/refresh", {}, 409)["error"]["code"] == "REFRESH_RUNNING"
    run_refresh(TenantScope(member.tenant_id), first["execution_id"], clock)
    assert call("POST", "/storage/refresh", {}, 202)["execution_id"] != first["execution_id"]
    clock.advance(hours=2)  # its worker died: it does not block for ever
    call("POST", "/storage/refresh", {}, 202)


def test_bad_requests(call: Call, account: Registration) -> None:
    record(account, [])
    for body in ({"account_ids": ["999999999999"]}, {"check_ids": ["nope"]}, {"x": 1}):
        call("POST", "/waste/refresh", body, 422)
        call("POST", "/waste/simulate", body, 422)
    expires = iso(NOW + timedelta(days=3))
    base = {"owner": "o", "reason": "reason", "expires_at": expires}
    for wrong in (
        {},
        {"check_id": "nat-idle"},
        {"check_id": "nope", "resource_arn": "arn:x"},
        {"finding_id": new_id(), "check_id": "nat-idle", "resource_arn": "arn:x"},
        {"check_id": "nat-idle", "resource_arn": "a", "expires_at": iso(NOW)},
        {"check_id": "nat-idle", "resource_arn": "a", "expires_at": iso(NOW + timedelta(400))},
        {"check_id": "nat-idle", "resource_arn": "a", "reason": "no"},
    ):
        call("POST", "/waste/exceptions", {**base, **wrong}, 422)
    call("POST", "/waste/exceptions", {**base, "finding_id": new_id()}, 404)
    call("GET", "/waste/findings?status=closed", expect=422)
    call("GET", "/waste/findings?min_monthly=-1", expect=422)


def test_lists_filter_and_page(
    call: Call, account: Registration, refreshed: Callable[..., None]
) -> None:
    record(account, everything())
    refreshed()
    every = call("GET", "/waste/findings?page_size=100")["findings"]
    for query, fits in {
        "check_id=nat-idle": lambda f: f["check_id"] == "nat-idle",
        f"region={REGION}": lambda f: f["region"] == REGION,
        "account_id=999999999999": lambda f: False,
        "min_monthly=30": lambda f: Decimal(f["saving"]["monthly"]) >= 30,
        "status=open": lambda f: True,
        "status=planned": lambda f: False,
    }.items():
        page = call("GET", f"/waste/findings?page_size=100&{query}")
        assert page["findings"] == [f for f in every if fits(f)], query
        assert page["total"] == len(page["findings"])
    seen: list[str] = []
    page = call("GET", "/waste/findings?page_size=7")
    while True:
        seen += [f["id"] for f in page["findings"]]
        if "next_cursor" not in page:
            break
        page = call("GET", f"/waste/findings?page_size=7&cursor={page['next_cursor']}")
    assert seen == [f["id"] for f in every]
    second = call("GET", "/waste/findings?page_size=7&page=2")["findings"]
    assert [f["id"] for f in second] == seen[7:14]
