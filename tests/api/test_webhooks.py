"""Webhook routes over the whole pipeline (contract 2.4, INT-5 to INT-7)."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import boto3
import pytest
from tidegate.integrations import public
from tidegate.integrations.routes import router
from tidegate.integrations.webhooks import tasks
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import PREFIX, REGION
from tests.builders.webhooks import bus_event
from tests.fakes.recorded import vectors
from tests.fakes.tables import dump_tables

PATH = "/user/webhooks"
URL = "https://hooks.example.com/in"
SHOWN = {"id", "url", "event_types", "enabled", "created_at", "updated_at"}


@pytest.fixture
def client(platform: Settings) -> ApiClient:
    return ApiClient([router], platform)


@pytest.fixture
def member(platform: Settings) -> SignedIn:
    return sign_in()


def make(client: ApiClient, who: SignedIn, **changes: Any) -> dict[str, Any]:
    answer = client.post(PATH, json={"url": URL, **changes}, headers=who.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def everything_stored() -> str:
    names = [f"{PREFIX}-integrations", f"{PREFIX}-platform"]
    return repr(dump_tables(boto3.client("dynamodb", region_name=REGION), names))


def test_a_webhook_is_made_changed_rotated_and_deleted(client: ApiClient, member: SignedIn) -> None:
    made = make(client, member)
    assert set(made) == SHOWN | {"secret"}
    assert (made["event_types"], made["enabled"]) == (["*"], True)
    path = f"/api{PATH}/{made['id']}"
    read = client.get(path, headers=member.headers)
    assert read.json() == {name: made[name] for name in SHOWN}
    changed = client.patch(
        path, json={"event_types": ["plan.approved"], "enabled": False}, headers=member.headers
    )
    assert changed.status_code == 200
    assert changed.json()["event_types"] == ["plan.approved"]
    assert (changed.json()["enabled"], changed.json()["url"]) == (False, URL)
    rotated = client.post(f"{path}/rotate-secret", headers=member.headers)
    assert rotated.status_code == 200
    assert rotated.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", rotated.json()["secret"])
    assert rotated.json()["secret"] != made["secret"]
    colleague = sign_in(tenant_id=member.tenant_id)
    listed = client.get(PATH, headers=colleague.headers).json()
    assert listed["total"] == 2
    assert {one["id"] for one in listed["webhooks"]} == {made["id"], "default"}
    assert all(set(one) == SHOWN for one in listed["webhooks"])
    gone = client.delete(path, headers=member.headers)
    assert gone.json() == {"id": made["id"], "deleted": True}
    for method in ("GET", "PATCH", "DELETE"):
        body = {"enabled": True} if method == "PATCH" else None
        assert client.request(method, path, json=body, headers=member.headers).status_code == 404


def test_the_default_exists_and_stays(client: ApiClient, member: SignedIn) -> None:
    read = client.get(f"{PATH}/default", headers=member.headers)
    assert (read.status_code, read.json()["url"]) == (200, "")
    rotated = client.post(f"{PATH}/default/rotate-secret", headers=member.headers).json()
    assert rotated["secret"].startswith("whsec_")
    changed = client.patch(f"{PATH}/default", json={"url": URL}, headers=member.headers).json()
    assert (changed["url"], changed["created_at"]) == (URL, read.json()["created_at"])
    refused = client.delete(f"{PATH}/default", headers=member.headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONSTRAINT_VIOLATION")


@pytest.mark.hazard("H30")
def test_a_repeated_call_makes_one_webhook_and_tells_its_secret(
    client: ApiClient, member: SignedIn
) -> None:
    """H30: the same Idempotency-Key gives the same webhook with the same secret."""
    headers = {**member.headers, "Idempotency-Key": "k1"}
    first, second = (client.post(PATH, json={"url": URL}, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert client.get(PATH, headers=member.headers).json()["total"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {}, {"url": ""}, {"url": None}, {"url": "http://hooks.example.com/"},
        {"url": "https://10.0.0.1/"}, {"url": "https://169.254.169.254/latest"},
        {"url": "https://user:pw@hooks.example.com/"}, {"url": "ftp://hooks.example.com/"},
        {"url": "https://hooks.example.com:22/"}, {"url": f"{URL}/{'x' * 2000}"},
        {"url": URL, "event_types": []}, {"url": URL, "event_types": ["plan.exploded"]},
        {"url": URL, "event_types": ["*", "*"]}, {"url": URL, "event_types": "*"},
        {"url": URL, "enabled": "yes"}, {"url": URL, "secret": "whsec_mine"},
        {"url": URL, "id": "default"}, {"url": "http://127.0.0.1:8000/api/hooks/x"},
    ],
)  # fmt: skip
def test_malformed_webhooks_are_refused(
    client: ApiClient, member: SignedIn, body: dict[str, Any]
) -> None:
    """INT-7: only public https addresses (and, in development, others on this machine)."""
    answer = client.post(PATH, json=body, headers=member.headers)
    assert answer.status_code == 422, answer.text
    assert client.get(PATH, headers=member.headers).json()["total"] == 1


@pytest.mark.hazard("D13")
def test_naughty_addresses_and_types_are_422(client: ApiClient, member: SignedIn) -> None:
    """D13: 515 hostile strings, by turns as address and as event type: each is 422."""
    wrong = []
    caller = member
    for position, text in enumerate(json.loads(vectors("blns.json").read_text())):
        if position % 40 == 0:  # within the rate limit
            caller = sign_in()
        body = {"url": URL, "event_types": [text]} if position % 2 else {"url": text}
        answer = client.post(PATH, json=body, headers=caller.headers)
        if answer.status_code != 422:
            wrong.append((text, answer.status_code))
    assert wrong == []
    assert "DELIVERY#" not in everything_stored()


@pytest.mark.parametrize("webhook_id", ["DEFAULT", "default2", "x", "a#b", "../default"])
def test_an_id_has_its_spelling(client: ApiClient, member: SignedIn, webhook_id: str) -> None:
    assert client.get(f"{PATH}/{webhook_id}", headers=member.headers).status_code == 404


@pytest.mark.hazard("H20")
@pytest.mark.bite(
    "tidegate.integrations.vault.Vault.seal", replacement=lambda vault, plain, *_: plain
)
def test_secrets_are_shown_once_and_kept_sealed(
    client: ApiClient, member: SignedIn, caplog: pytest.LogCaptureFixture
) -> None:
    """H20: a webhook's secret is in the answer that made it, and in no table, log or other
    answer."""
    caplog.set_level(logging.DEBUG)
    headers = {**member.headers, "Idempotency-Key": "k1"}
    made = client.post(PATH, json={"url": URL}, headers=headers).json()
    assert made["secret"] not in everything_stored()
    rotated = client.post(f"{PATH}/{made['id']}/rotate-secret", headers=member.headers).json()
    tasks.dispatch(bus_event(member.tenant_id, "plan.approved"), None)
    others = [
        client.get(path, headers=member.headers).text
        for path in (PATH, f"{PATH}/{made['id']}", f"{PATH}/{made['id']}/deliveries")
    ]
    for secret in (made["secret"], rotated["secret"]):
        assert secret not in everything_stored()
        assert secret not in caplog.text
        assert all(secret not in text for text in others)


def test_deliveries_are_paged_filtered_and_delivered_again(
    client: ApiClient, member: SignedIn
) -> None:
    made = make(client, member)
    scope = TenantScope(member.tenant_id)
    told = [
        public.deliver(scope, type="plan.approved", data={}, source_id=str(n))[0] for n in range(3)
    ]
    path = f"{PATH}/{made['id']}/deliveries"
    first = client.get(f"{path}?page_size=2", headers=member.headers).json()
    assert (first["total"], first["total_pages"]) == (3, 2)
    assert [one["id"] for one in first["deliveries"]] == told[:0:-1]
    assert set(first["deliveries"][0]) == {
        "id", "event_type", "url", "status", "attempts", "last_status_code", "created_at",
    }  # fmt: skip
    rest = client.get(
        f"{path}?page_size=2&cursor={first['next_cursor']}", headers=member.headers
    ).json()
    assert [one["id"] for one in rest["deliveries"]] == told[:1]
    assert client.get(f"{path}?status=dead", headers=member.headers).json()["total"] == 0
    assert client.get(f"{path}?status=lost", headers=member.headers).status_code == 422
    again = client.post(f"{path}/{told[0]}/redeliver", headers=member.headers)
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    assert again.json()["id"] == told[0]
    for wrong in (new_id(), "x"):
        answer = client.post(f"{path}/{wrong}/redeliver", headers=member.headers)
        assert answer.status_code == 404
    client.patch(f"{PATH}/{made['id']}", json={"enabled": False}, headers=member.headers)
    refused = client.post(f"{path}/{told[0]}/redeliver", headers=member.headers)
    assert refused.status_code == 409


@pytest.mark.hazard("B3")
@pytest.mark.bite("tidegate_kit.tenancy.TenantScope.pk", lambda scope: "T#one")
def test_what_other_tenants_have_is_as_absent(client: ApiClient, member: SignedIn) -> None:
    """B3: webhooks and deliveries of another tenant, also nested below an own one, are 404."""
    made = make(client, member)
    scope = TenantScope(member.tenant_id)
    (told,) = public.deliver(scope, type="plan.approved", data={}, source_id="s")
    stranger = sign_in()
    own = make(client, stranger)
    for method, path in (
        ("GET", f"{PATH}/{made['id']}"), ("DELETE", f"{PATH}/{made['id']}"),
        ("POST", f"{PATH}/{made['id']}/rotate-secret"), ("GET", f"{PATH}/{made['id']}/deliveries"),
        ("POST", f"{PATH}/{made['id']}/deliveries/{told}/redeliver"),
        ("POST", f"{PATH}/{own['id']}/deliveries/{told}/redeliver"),
        ("POST", f"{PATH}/default/deliveries/{told}/redeliver"),
    ):  # fmt: skip
        answer = client.request(method, path, headers=stranger.headers)
        assert answer.status_code == 404, (method, path)
