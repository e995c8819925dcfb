"""Every list and body of the platform, as the manifest has them: rows and powers of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tidegate import routers
from tidegate.manifest import openapi
from tidegate_kit.http.spec import RouteSpec
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import sign_in
from tests.builders.victims import Victim, path_with
from tests.builders.whole_platform import Caller, owner, whole_platform

SPECS = routers.all_specs()
# Administrators see every tenant, and nobody else gets there (B5).
OWN = [spec for spec in SPECS if not spec.public and not spec.permission.startswith("admin:")]
LISTS = [spec for spec in OWN if spec.method == "GET" and "{" not in spec.path]
DOCUMENT = openapi.document(routers.ROUTERS)
# What a caller must never set; where a body offers one of these names it means what it says.
POWERS = (
    "role", "tenant_id", "user_id", "is_active", "created_by", "connection_status", "external_id",
    "role_arn", "version", "password_hash", "tokens_valid_from", "pk", "schema_version",
)  # fmt: skip


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    yield whole_platform(platform, monkeypatch)
    settings_of.cache_clear()


def counts(value: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """(where, number) of everything in an answer that counts rows."""
    if isinstance(value, dict):
        for name, inner in value.items():
            counted = name.startswith("total") or name.endswith(("count", "_executions"))
            if counted and isinstance(inner, int) and name != "total_pages":
                yield f"{path}.{name}", inner
            yield from counts(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from counts(inner, f"{path}[]")


def listed(client: Caller, spec: RouteSpec, headers: dict[str, str]) -> tuple[int, str, list[Any]]:
    """Status, text and counts of a list."""
    answer = client.get(path_with(spec, ""), headers=headers)
    is_json = answer.headers.get("content-type") == "application/json"
    return answer.status_code, answer.text, sorted(counts(answer.json())) if is_json else []


_open_tenants: list[str] = []  # whose data everybody reaches while the defence is off


@pytest.mark.hazard("B2")
@pytest.mark.bite(
    "tidegate_kit.auth.principal.Principal.tenant",
    lambda caller: TenantScope(_open_tenants[-1] if _open_tenants else caller.tenant_id),
)
def test_no_list_or_count_shows_another_tenants_rows(client: Caller) -> None:
    """B2: one of everything in a tenant: no list, search, export or total of another moves."""
    _open_tenants.clear()
    stranger, victim = owner(), Victim(client, owner(), {})
    before = {spec.name: listed(client, spec, stranger.headers) for spec in LISTS}
    ids = {
        victim.id_for(spec) for spec in OWN if "{" in spec.path and "/pipelines/{" not in spec.path
    } - {None, "model-retrain"}
    canaries = {str(one) for one in ids} | {victim.owner.tenant_id, victim.owner.email}
    own = [listed(client, spec, victim.owner.headers)[1] for spec in LISTS]
    _open_tenants.append(victim.owner.tenant_id)
    later = owner()
    wrong = []
    for spec in LISTS:
        status, text, numbers = listed(client, spec, later.headers)
        shown = sorted(canary for canary in canaries if canary in text)
        if shown or (status, numbers) != (before[spec.name][0], before[spec.name][2]):
            wrong.append((spec.name, shown, numbers, before[spec.name][2]))
    assert wrong == []
    assert sum(status == 200 for status, _, _ in before.values()) >= 30, before
    seen = {canary for canary in canaries if any(canary in text for text in own)}
    assert len(seen) >= 15, f"the owner's own lists hardly show anything: {seen}"


def bodies() -> list[tuple[RouteSpec, set[str]]]:
    """The routes with a JSON body, and the names that their bodies offer."""
    found = []
    for spec in SPECS:
        operation = DOCUMENT["paths"].get(spec.path, {}).get(spec.method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {})
        if spec.body == "json" and "application/json" in content:
            found.append((spec, _names(content["application/json"]["schema"])))
    return found


def _names(schema: dict[str, Any]) -> set[str]:
    if "$ref" in schema:
        return _names(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    names = set(schema.get("properties", {}))
    return names.union(*(_names(one) for one in schema.get("anyOf", [])))


@pytest.mark.hazard("B6")
def test_no_body_takes_a_power_it_does_not_offer(client: Caller) -> None:
    """B6: each protected field in each JSON body of the platform: 422 naming that very field."""
    wrong = []
    found = bodies()
    for spec, offered in found:
        extra = {name: "x" for name in POWERS if name not in offered}
        member = sign_in(roles=("client", "admin"), is_owner=True)
        answer = client.request(
            spec.method, path_with(spec, ""), json=extra, headers=member.headers
        )
        error = answer.json().get("error", {})
        named = {detail["field"].rpartition(".")[2] for detail in error.get("details", [])}
        if answer.status_code != 422 or not set(extra) <= named:
            wrong.append((spec.name, answer.status_code, sorted(set(extra) - named)))
    assert wrong == []
    assert len(found) >= 60
