"""One contract over both repositories, and what sealed configurations survive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tidegate.integrations import public
from tidegate.integrations.domain import Account, Target
from tidegate.integrations.errors import ChangedMeanwhile, UnknownSecret
from tidegate.integrations.models import SecretItem
from tidegate.integrations.repository import DynamoAccounts, DynamoTargets, Records
from tidegate.integrations.vault import Vault
from tidegate.integrations.wiring import secrets_of
from tidegate_kit.clients import kms_sealer
from tidegate_kit.crypto import SealBroken, SealContext
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope, UserScope

from tests.fakes.integrations import MemoryRecords

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def target(**changes: Any) -> Target:
    values: dict[str, Any] = {
        "id": new_id(), "created_at": NOW, "updated_at": NOW, "name": "Ada", **changes,
    }  # fmt: skip
    return Target(**values)


@pytest.fixture(params=["memory", "dynamo"])
def targets(request: pytest.FixtureRequest) -> Iterator[Records[Target]]:
    if request.param == "memory":
        yield MemoryRecords()
    else:
        request.getfixturevalue("platform")
        yield DynamoTargets(UserScope(new_id(), new_id()))


def test_records_come_back_as_stored_newest_first(targets: Records[Target]) -> None:
    older = target(email="ada@example.com", notes="x", active=False)
    newer = target(created_at=NOW + timedelta(seconds=1))
    targets.save([older, newer])
    assert targets.all() == [newer, older]
    assert targets.get([older.id, new_id(), newer.id]) == [older, None, newer]


def test_a_change_needs_the_version_that_was_read(targets: Records[Target]) -> None:
    first = target()
    targets.save([first])
    second = replace(first, name="Eva", version=2)
    targets.save([second])
    for stale in (first, second, replace(first, version=4)):
        with pytest.raises(ChangedMeanwhile):
            targets.save([stale])
    with pytest.raises(ChangedMeanwhile):
        targets.delete(first)
    assert targets.get([first.id]) == [second]
    targets.delete(second)
    assert targets.all() == []
    with pytest.raises(ChangedMeanwhile):
        targets.delete(second)


def test_several_records_are_stored_all_or_none(targets: Records[Target]) -> None:
    known = target()
    targets.save([known])
    with pytest.raises(ChangedMeanwhile):
        targets.save([target(), known])
    assert targets.all() == [known]


@pytest.mark.hazard("B1")
@pytest.mark.bite("tidegate_kit.tenancy.UserScope.pk", lambda scope: "T#one#U#one")
def test_scopes_do_not_see_each_other(platform: Settings) -> None:
    """B1: a record is found neither from another user of the tenant nor from another tenant."""
    tenant, user = new_id(), new_id()
    made = Account(
        id="a", created_at=NOW, updated_at=NOW, account_type="social", configuration="sealed"
    )
    DynamoAccounts(UserScope(tenant, user)).save([made])
    for other in (UserScope(tenant, new_id()), UserScope(new_id(), user)):
        assert DynamoAccounts(other).get(["a"]) == [None]
        assert DynamoAccounts(other).all() == []
        with pytest.raises(ChangedMeanwhile):
            DynamoAccounts(other).delete(made)


@pytest.mark.hazard("H31")
@pytest.mark.bite(
    "tidegate.integrations.vault.Vault._context", lambda *_: SealContext("t", "r", "f")
)
def test_a_secret_opens_only_where_it_was_sealed(platform: Settings) -> None:
    """H31: a ciphertext copied to another tenant, another name or another kind never opens."""
    one, two = TenantScope(new_id()), TenantScope(new_id())
    service = secrets_of(one)
    service.put("first", "canary-4711")
    service.put("second", "other-value")
    secrets_of(two).put("first", "of-two")
    assert public.secret(one, "first") == "canary-4711"
    sealed = SecretItem.get(one.pk, "SECRET#first").value
    for pk, name in ((one.pk, "second"), (two.pk, "first")):
        item = SecretItem.get(pk, f"SECRET#{name}")
        item.value = sealed
        item.save()
        with pytest.raises(SealBroken):
            public.secret(TenantScope(pk.removeprefix("T#")), name)
    vault = Vault(kms_sealer(platform), one)
    for record, field in (("ACCOUNT#first", "configuration"), ("SECRET#first", "other")):
        with pytest.raises(SealBroken):
            vault.open(sealed, record, field)
    assert public.secret(one, "first") == "canary-4711"


@pytest.mark.hazard("E7")
@pytest.mark.bite("tidegate_kit.tenancy.TenantScope.pk", lambda scope: "T#one")
def test_a_step_gets_secrets_of_its_own_tenant_alone(platform: Settings) -> None:
    """E7: the name of another tenant's secret is as unknown as one that nobody has."""
    one, two = TenantScope(new_id()), TenantScope(new_id())
    secrets_of(one).put("api_key", "canary-4711")
    assert public.secret_names(one) == {"api_key"}
    assert public.secret_names(two) == set()
    for name in ("api_key", "nothing"):
        with pytest.raises(UnknownSecret):
            public.secret(two, name)
