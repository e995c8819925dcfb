"""Rules of the contract that hold for more than one domain, as a strict client sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tidegate_kit.idempotency import IdempotencyItem
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings

from tests.builders.members import SignedIn
from tests.builders.whole_platform import Caller, owner, whole_platform
from tests.builders.workflows import chain, node

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Caller:
    return whole_platform(platform, monkeypatch)


@pytest.fixture
def member(client: Caller) -> SignedIn:
    return owner()


def workflow(client: Caller, member: SignedIn) -> dict[str, Any]:
    body = {"name": "Clean up", "definition": chain(node("a"))}
    answer = client.post("/workflows", json=body, headers=member.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def refusal(answer: httpx.Response) -> tuple[int, str, list[str]]:
    problem = answer.json()["error"]
    return answer.status_code, problem["code"], [each["field"] for each in problem["details"]]


@pytest.mark.parametrize(
    "path", ["/workflows/executions", "/logs", "/v1/calendar/events", "/governance/audit"]
)
@pytest.mark.parametrize(
    "moment",
    ["9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00", "2026-01-01T00:00:00", "1700000000",
     "2026-02-30", "2026-01-01T00:00:00.1234567Z", ""],
)  # fmt: skip
def test_gen_10_a_time_is_iso_8601_with_its_offset(
    client: Caller, member: SignedIn, path: str, moment: str
) -> None:
    """GEN-10: no zone, a number, or a time that UTC does not have is 422 and never 500."""
    for name in ("from", "to"):
        answer = client.get(path, params={name: moment}, headers=member.headers)
        assert refusal(answer) == (422, "VALIDATION_ERROR", [name])


@pytest.mark.parametrize("path", ["/workflows/executions", "/logs", "/v1/calendar/events"])
def test_gen_10_times_with_offset_and_dates_bound_a_list(
    client: Caller, member: SignedIn, path: str
) -> None:
    params = {"from": "2026-01-01T00:00:00.5+02:00", "to": "2026-02-01"}
    assert client.get(path, params=params, headers=member.headers).status_code == 200


@pytest.mark.parametrize("moment", [1_800_000_000, "1800000000", "2027-01-01T00:00:00"])
def test_gen_10_a_schedule_starts_at_a_time_and_not_at_a_number(
    client: Caller, member: SignedIn, moment: object
) -> None:
    path = f"/workflows/{workflow(client, member)['id']}/schedule"
    body = {"expression": "rate(5 minutes)", "start_at": moment}
    answer = client.put(path, json=body, headers=member.headers)
    assert refusal(answer) == (422, "VALIDATION_ERROR", ["start_at"])


@pytest.mark.parametrize("cursor", ["a", "a" * 2049, "a" * 7000, "é", " "])
def test_page_2_whatever_is_no_cursor_is_400(client: Caller, member: SignedIn, cursor: str) -> None:
    """PAGE-2: also one that is longer than any that was given out."""
    answer = client.get("/workflows", params={"cursor": cursor}, headers=member.headers)
    assert refusal(answer) == (400, "INVALID_CURSOR", [])


def test_idem_1_what_makes_something_makes_it_once_per_key(
    client: Caller, member: SignedIn
) -> None:
    """IDEM-1: a rotated secret, a rolled-back version and a ticket are things that were made."""
    made = workflow(client, member)
    path = f"/workflows/{made['id']}"
    hook = client.post(f"{path}/hooks", json={}, headers=member.headers).json()
    calls: dict[str, Any] = {
        f"{path}/rollback": {"version": 1},
        f"{path}/hooks/{hook['hook_id']}/rotate-secret": None,
        "/user/webhooks/default/rotate-secret": None,
        "/realtime/ticket": {"client_id": "browser"},
    }
    for called, body in calls.items():
        headers = {**member.headers, "Idempotency-Key": new_id()}
        first, again = (client.post(called, json=body, headers=headers) for _ in range(2))
        assert first.is_success, first.text
        assert "Idempotent-Replayed" not in first.headers, called
        assert again.headers.get("Idempotent-Replayed") == "true", called
        assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert client.get(path, headers=member.headers).json()["version"] == 2


def test_wf_the_counters_come_with_get_alone(client: Caller, member: SignedIn) -> None:
    """Contract 2.5: a Workflow has its counters in the answer of GET."""
    made = workflow(client, member)
    path = f"/workflows/{made['id']}"
    put = client.put(path, json={"description": "d"}, headers=member.headers).json()
    back = client.post(f"{path}/rollback", json={"version": 1}, headers=member.headers).json()
    assert set(put) == set(back) == set(made)
    read = client.get(path, headers=member.headers).json()
    assert set(read) == set(made) | {"execution_stats"}


def test_gen_11_a_username_is_trimmed_wherever_it_is_given(
    client: Caller, member: SignedIn
) -> None:
    """GEN-11, USR-2: PUT /v1/profile keeps the username that register would keep."""
    answer = client.put("/v1/profile", json={"username": " Bob "}, headers=member.headers)
    assert answer.json()["username"] == "Bob"
    assert client.get("/auth/me", headers=member.headers).json()["username"] == "Bob"


def test_texts_without_a_stated_length_hold_2000_characters(
    client: Caller, member: SignedIn
) -> None:
    """Notation: what is searched for is a text like any other; the name of a secret has 200."""
    searches = [("/workflows", "search"), ("/logs", "q"), ("/v1/calendar/events", "q")]
    for path, name in searches:
        for length, status in ((2000, 200), (2001, 422)):
            found = client.get(path, params={name: "x" * length}, headers=member.headers)
            assert found.status_code == status, (path, length)
    for length, status in ((200, 200), (201, 404)):
        path = f"/user/secrets/{'k' * length}"
        kept = client.put(path, json={"value": "v"}, headers=member.headers)
        assert kept.status_code == status


def test_int_a_batch_may_be_empty(client: Caller, member: SignedIn) -> None:
    """Contract 2.4: a batch has at most 25 accounts, and none is not too many."""
    answer = client.post(
        "/user/integrations/accounts/batch", json={"accounts": []}, headers=member.headers
    )
    assert (answer.status_code, answer.json()) == (
        200,
        {"accounts": [], "created": 0, "updated": 0},
    )


def test_err_4_a_foreign_redirect_address_is_a_bad_value(client: Caller, member: SignedIn) -> None:
    """ERR-4: BAD_REQUEST is for what cannot be read; a refused value is 422 with its field."""
    body = {"redirect_uri": "https://evil.example/x"}
    answer = client.post("/v1/calendar/oauth/start", json=body, headers=member.headers)
    assert refusal(answer) == (422, "VALIDATION_ERROR", ["redirect_uri"])


@pytest.mark.parametrize(
    "mock", [{}, {"foo": 1}, {"output": {}, "error": {}}, {"output": 1}, {"output": None}]
)
def test_gen_11_a_mock_is_an_output_or_an_error(
    client: Caller, member: SignedIn, mock: dict[str, Any]
) -> None:
    """GEN-11: a misspelt mock is refused, and not taken for an empty output."""
    path = f"/workflows/{workflow(client, member)['id']}/dry-run"
    answer = client.post(path, json={"mocks": {"a": mock}}, headers=member.headers)
    assert refusal(answer)[:2] == (422, "VALIDATION_ERROR")
    kept = {"mocks": {"a": {"output": {"by": None, "n": [1]}}}}
    done = client.post(path, json=kept, headers=member.headers).json()
    assert done["output_data"] == {"by": None, "n": [1]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/templates", {"name": "T", "category": "c", "definition": chain(node("a"))}),
        ("/user/communication-targets", {"name": "Ada", "email": "ada@example.com"}),
    ],
)
def test_idem_1_a_call_that_died_after_its_effect_is_recognised(
    client: Caller, member: SignedIn, path: str, body: dict[str, Any]
) -> None:
    """IDEM-1: its answer was never kept, yet the same call makes nothing twice."""
    headers = {**member.headers, "Idempotency-Key": "k"}
    first = client.post(path, json=body, headers=headers)
    assert first.status_code in (200, 201), first.text
    for kept in IdempotencyItem.scan():
        if kept.sk.startswith("IDEM#"):
            kept.delete()
    second = client.post(path, json=body, headers=headers)
    assert "Idempotent-Replayed" not in second.headers
    assert second.json() == first.json()
    assert client.get(path, headers=member.headers).json()["total"] == 1


@pytest.mark.parametrize(
    "path",
    ["/waste/refresh", "/storage/refresh", "/waste/simulate", "/pipelines/savings-ledger/run"],
)
def test_a_body_of_optional_fields_may_be_absent(
    client: Caller, member: SignedIn, path: str
) -> None:
    """Notation: every field is optional, so no body asks for what an empty one asks for."""
    absent = client.post(path, headers=member.headers)
    assert absent.status_code in (200, 202, 503), absent.text  # 503: no machine runs here
    unknown = client.post(path, json={"nothing": 1}, headers=member.headers)
    assert refusal(unknown)[:2] == (422, "VALIDATION_ERROR")


def test_openapi_names_the_media_type_that_a_route_reads() -> None:
    """A generated client must not send JSON where a form or a calendar is read."""
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    read = {
        path: media
        for path, operations in paths.items()
        for operation in operations.values()
        for media in operation.get("requestBody", {}).get("content", {})
        if media != "application/json"
    }
    assert read == {
        "/token": "application/x-www-form-urlencoded",
        "/v1/calendar/import": "text/calendar",
    }
