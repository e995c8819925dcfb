"""The hourly check of every tenant's accounts (EVT-6)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from tidegate.integrations import tasks
from tidegate.integrations.models import AccountItem, HealthItem
from tidegate.integrations.probing import checks_of
from tidegate.integrations.repository import (
    AccountRef,
    DynamoAccounts,
    DynamoGlobalAccounts,
    GlobalAccounts,
    place_of,
)
from tidegate.integrations.service.accounts import Upsert
from tidegate.integrations.wiring import accounts_of
from tidegate_kit.auth.models import TenantItem
from tidegate_kit.clock import iso, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import UserScope

from tests.builders.members import sign_in
from tests.builders.settings import REGION
from tests.fakes.faults import enumerate_faults
from tests.fakes.integrations import MemoryGlobalAccounts
from tests.fakes.local_server import Request, json_app, serving

KEY = "crm-key-canary-4711"


class Crm:
    """An API that every account calls; `down` are keys that it refuses."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.down: set[str] = set()

    def __call__(self, request: Request) -> tuple[int, dict[str, Any]]:
        self.asked.append(request.token)
        return (401 if request.token in self.down else 200), {}


@pytest.fixture
def crm(platform: Settings) -> Iterator[Crm]:
    made = Crm()
    with serving(json_app(made)) as url:
        made.url = url
        yield made


def connect(scope: UserScope, url: str, name: str) -> AccountRef:
    given = {"base_url": url, "api_key": f"{KEY}-{name}"}
    accounts_of(scope).put([Upsert(name, "crm", given)], lambda index: "")
    return AccountRef(scope, name)


def member() -> UserScope:
    made = sign_in()
    return UserScope(made.tenant_id, made.user_id)


def status(ref: AccountRef) -> str | None:
    found = checks_of(ref.scope).health(ref.account_id)
    return None if found is None else found.status


@pytest.fixture(params=["memory", "dynamo"])
def listing(
    request: pytest.FixtureRequest,
) -> Callable[[list[AccountRef]], GlobalAccounts]:
    if request.param == "memory":
        return lambda refs: MemoryGlobalAccounts(*refs)
    request.getfixturevalue("platform")

    def stored(refs: list[AccountRef]) -> GlobalAccounts:
        for ref in refs:
            connect(ref.scope, "https://example.com", ref.account_id)
        return DynamoGlobalAccounts()

    return stored


def test_the_list_goes_through_all_tenants_page_by_page(
    listing: Callable[[list[AccountRef]], GlobalAccounts],
) -> None:
    scopes = [UserScope(new_id(), new_id()) for _ in range(3)]
    refs = sorted((AccountRef(scope, name) for scope in scopes for name in "ab"), key=place_of)
    accounts = listing(refs)
    assert accounts.after(None, 100) == refs
    assert accounts.after(refs[1], 3) == refs[2:5]
    assert accounts.after(refs[-1], 3) == []


def test_every_account_is_checked_and_a_bad_one_becomes_unhealthy(
    crm: Crm, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """EVT-6: accounts of all tenants, hour by hour; a key never reaches a log."""
    good, bad = connect(member(), crm.url, "good"), connect(member(), crm.url, "bad")
    first = tasks.check_accounts({}, None)
    assert first == {"passing": 2, "failing": 0, "skipped": 0, "failed": 0}
    crm.down = {f"{KEY}-bad"}
    seen = []
    for _ in range(3):
        assert tasks.check_accounts({}, None)["failing"] == 1
        seen.append(status(bad))
    assert seen == ["degraded", "degraded", "unhealthy"]
    assert status(good) == "healthy"
    assert KEY not in caplog.text + "".join(capsys.readouterr())


def test_a_repetition_spares_what_was_checked(crm: Crm) -> None:
    refs = [connect(member(), crm.url, name) for name in ("a", "b")]
    started = iso(system_clock() - timedelta(seconds=1))
    checks_of(refs[0].scope).test("a")
    assert tasks.check_accounts({"started_at": started}, None)["passing"] == 1
    again = tasks.check_accounts({"started_at": started}, None)
    assert (again["passing"], again["skipped"], len(crm.asked)) == (0, 2, 2)


def test_accounts_that_nobody_uses_are_left_alone(crm: Crm) -> None:
    off, gone, kept = (connect(member(), crm.url, name) for name in ("off", "gone", "kept"))
    TenantItem.get(off.scope.tenant.pk, "TENANT").update([TenantItem.is_active.set(False)])
    accounts_of(gone.scope).delete("gone")
    assert tasks.check_accounts({}, None)["passing"] == 1
    assert crm.asked == [f"{KEY}-kept"]
    assert (status(kept), status(off)) == ("healthy", None)


def test_an_account_that_does_not_open_stops_no_other(crm: Crm) -> None:
    refs = [connect(member(), crm.url, name) for name in ("a", "b", "c")]
    broken = min(refs, key=place_of)
    item = AccountItem.get(broken.scope.pk, f"ACCOUNT#{broken.account_id}")
    item.update([AccountItem.configuration.set(item.configuration[:-8] + "AAAAAAAA")])
    counts = tasks.check_accounts({}, None)
    assert (counts["failed"], counts["passing"]) == (1, 2)


class Context:
    """A call whose time is up after so many looks at the clock."""

    invoked_function_arn = f"arn:aws:lambda:{REGION}:222222222222:function:integration-health"

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def get_remaining_time_in_millis(self) -> int:
        self.looks -= 1
        return 900_000 if self.looks >= 0 else 1


def test_a_long_sweep_invokes_itself_for_the_rest(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c", "d"):
        connect(member(), crm.url, name)
    invoked: list[dict[str, Any]] = []

    class Lambda:
        def invoke(self, **request: Any) -> None:
            assert request["InvocationType"] == "Event"
            assert request["FunctionName"] == Context.invoked_function_arn
            invoked.append(json.loads(request["Payload"]))

    monkeypatch.setattr(tasks, "platform_client", lambda service, region: Lambda())
    started = iso(system_clock())
    assert tasks.check_accounts({"started_at": started}, Context(1))["passing"] == 2
    # Even without any time left each call comes one further, so the chain ends.
    for count in (2, 3):
        assert len(invoked) == count - 1
        assert tasks.check_accounts(invoked[-1], Context(0))["passing"] == 1
    assert len(invoked) == 2
    assert {one["started_at"] for one in invoked} == {started}
    assert len(set(crm.asked)) == 4


@pytest.mark.hazard("H1")
def test_a_sweep_that_dies_is_completed_by_its_repetition(
    crm: Crm,
) -> None:
    """H1: whatever call fails or dies, the account ends checked, with one good record."""
    ref = connect(member(), crm.url, "a")
    started = iso(system_clock())

    @contextlib.contextmanager
    def fresh() -> Iterator[None]:
        with contextlib.suppress(HealthItem.DoesNotExist):
            HealthItem.get(ref.scope.pk, "HEALTH#a").delete()
        yield

    def flow(_: None) -> None:
        tasks.check_accounts({"started_at": started}, None)

    def check(_: None) -> None:
        assert status(ref) == "healthy"
        assert HealthItem.get(ref.scope.pk, "HEALTH#a").failures == 0

    enumerate_faults(flow, flow, check, fresh, name="integration health")


def test_an_account_is_listed_as_long_as_it_exists(platform: Settings) -> None:
    ref = connect(member(), "https://example.com", "a")
    connect(ref.scope, "https://example.org", "a")
    assert DynamoGlobalAccounts().after(None, 10) == [ref]
    (stored,) = DynamoAccounts(ref.scope).get(["a"])
    assert stored is not None
    DynamoAccounts(ref.scope).delete(stored)
    assert DynamoGlobalAccounts().after(None, 10) == []
