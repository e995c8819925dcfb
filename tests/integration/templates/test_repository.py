"""One contract over both stores of templates (TPL-1 to TPL-3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tidegate.templates.domain import Parameter, Template
from tidegate.templates.errors import ChangedMeanwhile
from tidegate.templates.repository import DynamoTemplates, WholeTemplate
from tidegate_kit.dynamo import ConditionFailed, Transaction
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.fakes.races import race
from tests.fakes.templates import MemoryTemplates, Writes

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def whole(**changes: Any) -> WholeTemplate:
    values: dict[str, Any] = {
        "id": new_id(), "name": "T", "description": "", "category": "c", "is_active": True,
        "parameters": (Parameter("who", "d", "string", True, None),), "usage_count": 0,
        "scope": "tenant", "created_at": NOW, "updated_at": NOW, **changes,
    }  # fmt: skip
    return WholeTemplate(Template(**values), {"nodes": [{"id": "a"}], "edges": []})


@dataclass(frozen=True)
class Stores:
    """Makes a tenant's store, and a transaction for it."""

    tenant: Callable[[], Any]
    writes: Callable[[], Any]


@pytest.fixture(params=["memory", "dynamo"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        platform: dict[str, WholeTemplate] = {}
        return Stores(lambda: MemoryTemplates(platform), Writes)
    request.getfixturevalue("platform")
    return Stores(lambda: DynamoTemplates(TenantScope(new_id())), Transaction)


def test_templates_come_back_as_stored_newest_first(stores: Stores) -> None:
    store = stores.tenant()
    older = whole()
    newer = whole(created_at=NOW + timedelta(seconds=1))
    for one in (older, newer):
        store.save(one, replacing=None)
    assert store.all() == [newer.template, older.template]
    assert store.get(older.template.id) == older
    with pytest.raises(NotFound):
        store.get(new_id())


def test_a_change_needs_what_was_read(stores: Stores) -> None:
    store, first = stores.tenant(), whole()
    store.save(first, replacing=None)
    with pytest.raises(ChangedMeanwhile):
        store.save(first, replacing=None)
    later = replace(first.template, name="U", updated_at=NOW + timedelta(seconds=1))
    second = replace(first, template=later)
    store.save(second, replacing=first.template)
    for stale in (first.template, replace(later, usage_count=7)):
        with pytest.raises(ChangedMeanwhile):
            store.save(first, replacing=stale)
    assert store.get(later.id) == second
    with pytest.raises(ChangedMeanwhile):
        store.save(whole(), replacing=later)


def test_a_deleted_template_is_gone(stores: Stores) -> None:
    store, made = stores.tenant(), whole()
    store.save(made, replacing=None)
    store.delete(made.template)
    assert store.all() == []
    for act in (lambda: store.get(made.template.id), lambda: store.delete(made.template)):
        with pytest.raises(NotFound):
            act()


def test_uses_are_counted_with_what_they_made(stores: Stores) -> None:
    store, made = stores.tenant(), whole()
    store.save(made, replacing=None)
    for _ in range(2):
        writes = stores.writes()
        store.add_use(writes, made.template)
        writes.commit()
    assert store.get(made.template.id).template.usage_count == 2
    store.delete(store.get(made.template.id).template)
    writes = stores.writes()
    store.add_use(writes, made.template)
    with pytest.raises(ConditionFailed) as caught:
        writes.commit()
    assert caught.value.names == {"template"}


def test_templates_of_the_platform_are_everybodys(stores: Stores) -> None:
    one, two = stores.tenant(), stores.tenant()
    shared, own = whole(scope="platform"), whole()
    one.save(shared, replacing=None)
    one.save(own, replacing=None)
    assert two.all() == [shared.template]
    assert two.get(shared.template.id) == shared
    with pytest.raises(NotFound):
        two.get(own.template.id)


@pytest.mark.hazard("B1")
@pytest.mark.bite("tidegate_kit.tenancy.TenantScope.pk", lambda scope: "T#one")
def test_templates_of_a_tenant_are_its_own(platform: Settings) -> None:
    """B1: another tenant finds, lists and deletes nothing of a tenant's templates."""
    made = whole()
    DynamoTemplates(TenantScope(new_id())).save(made, replacing=None)
    other = DynamoTemplates(TenantScope(new_id()))
    assert other.all() == []
    with pytest.raises(NotFound):
        other.get(made.template.id)
    with pytest.raises(NotFound):
        other.delete(made.template)


@pytest.mark.hazard("H7")
@pytest.mark.bite(
    "tidegate.templates.repository.TemplateItem.usage_count.add",
    lambda amount: __import__(
        "tidegate.templates.models", fromlist=["x"]
    ).TemplateItem.usage_count.set(1),
)
def test_uses_at_once_are_all_counted(platform: Settings) -> None:
    """H7: instantiations at the same moment add up exactly."""
    store, made = DynamoTemplates(TenantScope(new_id())), whole()
    store.save(made, replacing=None)

    def use(worker: int, number: int) -> None:
        writes = Transaction()
        store.add_use(writes, made.template)
        writes.commit()

    race(4, use, rounds=25)
    assert store.get(made.template.id).template.usage_count == 100
