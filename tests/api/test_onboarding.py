"""Routes of contract 2.9 through the whole pipeline."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from tidegate.onboarding import wiring
from tidegate.onboarding.routes import router
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import Settings

from tests.builders.members import SignedIn, sign_in
from tests.builders.onboarding import BUCKET, World, good_trust, make_world
from tests.builders.settings import CUSTOMER_ACCOUNT, PLATFORM_ACCOUNT, REGION
from tests.fakes.cloudformation import parse_template
from tests.fakes.strict_aws import StrictAws, allow

SHAPE = {
    "id", "account_id", "tier", "regions", "label", "status", "connection_method", "external_id",
    "role_name", "template_url", "template_url_expires_at", "quick_create_url", "created_at",
}  # fmt: skip
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def world(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(platform, strict_aws, monkeypatch)


@pytest.fixture
def member(world: World) -> SignedIn:
    return sign_in(roles=("client",))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# ---- create ---------------------------------------------------------------------------------


def test_create_gives_the_contract_shape(world: World, member: SignedIn) -> None:
    answer = world.client.post(
        "/api/onboarding/create",
        json={
            "account_id": CUSTOMER_ACCOUNT, "tier": "remediate", "regions": ["eu-west-1"],
            "label": " Shop ",
        },
        headers=member.headers,
    )  # fmt: skip
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == SHAPE
    assert UUID4.fullmatch(made["id"])
    assert UUID4.fullmatch(made["external_id"])
    assert made["external_id"] != made["id"]
    assert made["role_name"] == f"TidegateAccess-{made['id'][:8]}"
    assert (made["status"], made["connection_method"]) == ("pending", "role")
    assert (made["tier"], made["regions"], made["label"]) == ("remediate", ["eu-west-1"], "Shop")


def test_the_unfinished_request_is_given_again(world: World, member: SignedIn) -> None:
    first = world.client.post(
        "/onboarding/create", json={"account_id": CUSTOMER_ACCOUNT}, headers=member.headers
    )
    again = world.client.post(
        "/onboarding/create",
        json={"account_id": CUSTOMER_ACCOUNT, "tier": "remediate"},
        headers=member.headers,
    )
    assert (first.status_code, again.status_code) == (201, 200)
    for name in ("id", "external_id", "tier", "created_at"):
        assert again.json()[name] == first.json()[name]


def test_two_tenants_get_requests_of_their_own(world: World, member: SignedIn) -> None:
    other = sign_in(roles=("client",))
    mine, theirs = world.create(member), world.create(other)
    assert mine["id"] != theirs["id"]
    assert mine["external_id"] != theirs["external_id"]


def test_the_callers_own_connected_account_is_a_conflict(world: World) -> None:
    member, _ = world.connected()
    answer = world.client.post(
        "/onboarding/create", json={"account_id": CUSTOMER_ACCOUNT}, headers=member.headers
    )
    assert code(answer) == (409, "ACCOUNT_ALREADY_CONNECTED")
    other = sign_in(roles=("client",))
    assert world.create(other)["status"] == "pending"


@pytest.mark.parametrize(
    "body",
    [
        {}, {"account_id": "12345678901"}, {"account_id": "1234567890123"},
        {"account_id": 222222222222}, {"account_id": "22222222222a"},
        {"account_id": "٢٢٢٢٢٢٢٢٢٢٢٢"}, {"account_id": "222222222222\n"},
        {"account_id": CUSTOMER_ACCOUNT, "tier": "admin"},
        {"account_id": CUSTOMER_ACCOUNT, "regions": ["everywhere"]},
        {"account_id": CUSTOMER_ACCOUNT, "regions": ["cn-north-1"]},
        {"account_id": CUSTOMER_ACCOUNT, "regions": ["us-gov-west-1"]},
        {"account_id": CUSTOMER_ACCOUNT, "regions": ["eu-west-1", "eu-west-1"]},
        {"account_id": CUSTOMER_ACCOUNT, "regions": "eu-west-1"},
        {"account_id": CUSTOMER_ACCOUNT, "label": ""},
        {"account_id": CUSTOMER_ACCOUNT, "label": "x" * 2001},
        {"account_id": CUSTOMER_ACCOUNT, "label": "a\x00b"},
        {"account_id": CUSTOMER_ACCOUNT, "status": "connected"},
    ],
)  # fmt: skip
def test_create_refuses_other_shapes(world: World, member: SignedIn, body: dict[str, Any]) -> None:
    answer = world.client.post("/onboarding/create", json=body, headers=member.headers)
    assert code(answer) == (422, "VALIDATION_ERROR")


def test_permissions_are_those_of_clients(world: World) -> None:
    user, client = sign_in(roles=("user",)), sign_in(roles=("client",))
    path = f"/onboarding/{world.create(client)['id']}"
    assert world.client.get("/onboarding", headers=user.headers).status_code == 403
    for method, route in [
        ("POST", "/onboarding/create"), ("POST", f"{path}/verify"),
        ("POST", f"{path}/rediscover"), ("POST", "/onboarding/connect/credentials"),
        ("GET", path), ("GET", f"{path}/discovery"), ("GET", path.replace("ing/", "ing/template/")),
    ]:  # fmt: skip
        answer = world.client.request(method, route, json={}, headers=user.headers)
        assert code(answer) == (403, "FORBIDDEN"), route
        assert world.client.request(method, route, json={}).status_code == 401, route


# ---- template -------------------------------------------------------------------------------


def test_the_signed_link_gives_the_template(world: World, member: SignedIn) -> None:
    made = world.create(member)
    link = urlsplit(made["template_url"])
    answer = world.client.get(f"{link.path}?{link.query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/yaml")
    assert answer.headers["cache-control"] == "no-store"
    parameters = parse_template(answer.text)["Parameters"]
    assert parameters["ExternalId"]["Default"] == made["external_id"]
    assert parameters["OnboardingId"]["Default"] == made["id"]
    assert parameters["RoleName"]["Default"] == made["role_name"]
    by_token = world.client.get(link.path, headers=member.headers)
    assert by_token.text == answer.text


def test_a_token_of_another_tenant_finds_no_template(world: World, member: SignedIn) -> None:
    path = urlsplit(world.create(member)["template_url"]).path
    other = sign_in(roles=("client",))
    assert code(world.client.get(path, headers=other.headers)) == (404, "NOT_FOUND")
    assert code(world.client.get(path)) == (401, "INVALID_SIGNATURE")


def test_quick_create_opens_a_signed_copy(world: World, member: SignedIn) -> None:
    made = world.create(member)
    console = urlsplit(made["quick_create_url"])
    assert console.netloc == "console.aws.amazon.com"
    assert parse_qs(console.query)["region"] == [REGION]
    page, _, text = console.fragment.partition("?")
    assert page == "/stacks/quickcreate"
    values = {name: value[0] for name, value in parse_qs(text).items()}
    assert values["param_ExternalId"] == made["external_id"]
    copy = urlsplit(values["templateURL"])
    assert "X-Amz-Signature" in parse_qs(copy.query)
    assert copy.netloc.startswith(f"{BUCKET}.s3.")
    stored = boto3.client("s3", region_name=REGION).get_object(
        Bucket=BUCKET, Key=copy.path.lstrip("/")
    )["Body"].read().decode()  # fmt: skip
    assert stored == world.client.get(
        f"/onboarding/template/{made['id']}", headers=member.headers
    ).text  # fmt: skip


# ---- read -----------------------------------------------------------------------------------


def test_get_adds_checks_and_refusal(world: World, member: SignedIn) -> None:
    made = world.create(member)
    shown = world.get(member, made)
    assert set(shown) == SHAPE | {"checks", "refusal"}
    assert (shown["checks"], shown["refusal"]) == ([], None)
    assert world.verify(member, made).status_code == 422
    shown = world.get(member, made)
    assert shown["status"] == "refused"
    assert shown["refusal"]["code"] == "ROLE_NOT_ASSUMABLE"
    assert shown["checks"][0]["outcome"] == "fail"
    assert set(shown["checks"][0]) == {"name", "outcome", "detail"}


def test_get_carries_an_entity_tag(world: World, member: SignedIn) -> None:
    path = f"/onboarding/{world.create(member)['id']}"
    for _ in range(2):  # the links change with the minute
        first = world.client.get(path, headers=member.headers)
        headers = {**member.headers, "If-None-Match": first.headers["etag"]}
        again = world.client.get(path, headers=headers)
        if again.status_code == 304:
            return
    pytest.fail("the entity tag changes with every call")


def test_the_list_pages_newest_first(world: World, member: SignedIn) -> None:
    made = [world.create(member, f"{n:012d}")["id"] for n in range(1, 6)]
    first = world.client.get("/onboarding?page_size=2", headers=member.headers).json()
    assert (first["total"], first["total_pages"]) == (5, 3)
    assert [row["id"] for row in first["requests"]] == made[::-1][:2]
    world.create(member, "000000000099")  # newer ones shift nothing behind a cursor
    seen = [row["id"] for row in first["requests"]]
    cursor = first["next_cursor"]
    while cursor:
        page = world.client.get(
            f"/onboarding?page_size=2&cursor={cursor}", headers=member.headers
        ).json()
        seen += [row["id"] for row in page["requests"]]
        cursor = page.get("next_cursor")
    assert seen == made[::-1]
    past = world.client.get("/onboarding?page=9", headers=member.headers).json()
    assert past["requests"] == []
    assert past["total"] == 6
    other = sign_in(roles=("client",))
    assert world.client.get("/onboarding", headers=other.headers).json()["total"] == 0


def test_fields_cut_the_answer_down(world: World, member: SignedIn) -> None:
    made = world.create(member)
    one = world.client.get(f"/onboarding/{made['id']}?fields=status", headers=member.headers)
    assert one.json() == {"id": made["id"], "status": "pending"}
    rows = world.client.get("/onboarding?fields=tier", headers=member.headers).json()["requests"]
    assert rows == [{"id": made["id"], "tier": "read"}]
    wrong = world.client.get("/onboarding?fields=secret", headers=member.headers)
    assert wrong.status_code == 422


@pytest.mark.parametrize("method", ["GET", "verify", "discovery", "rediscover", "template"])
def test_a_foreign_id_answers_as_an_absent_one(world: World, method: str) -> None:
    owner, stranger = sign_in(roles=("client",)), sign_in(roles=("client",))
    made = world.create(owner)["id"]
    absent = "7d5f1a52-1f57-4c3c-9f0e-7d5f6f1d2b11"

    def call(onboarding_id: str) -> Any:
        path = {
            "template": f"/onboarding/template/{onboarding_id}",
            "GET": f"/onboarding/{onboarding_id}",
        }.get(method, f"/onboarding/{onboarding_id}/{method}")  # fmt: skip
        verb = "POST" if method in {"verify", "rediscover"} else "GET"
        answer = world.client.request(verb, path, headers=stranger.headers)
        body = answer.json()["error"]
        return answer.status_code, body["code"], body["message"], body["details"]

    assert call(made) == call(absent)
    assert call(made)[0] == 404
    assert call("not-an-id")[0] == 404


# ---- verify ---------------------------------------------------------------------------------


def test_verify_connects_and_starts_discovery(world: World, member: SignedIn) -> None:
    made = world.create(member)
    arn = world.deploy_template(member, made)
    answer = world.verify(member, made)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {
        "id", "account_id", "status", "role_arn", "checks", "connected_at", "discovery"
    }  # fmt: skip
    assert (body["status"], body["role_arn"]) == ("connected", arn)
    assert [c["outcome"] for c in body["checks"]] == ["pass"] * 5
    assert body["discovery"]["status"] == "running"
    run = world.client.get(f"/onboarding/{made['id']}/discovery", headers=member.headers).json()
    assert run["run_id"] == body["discovery"]["run_id"]
    assert world.get(member, made)["status"] == "connected"


def test_verify_again_changes_nothing(world: World) -> None:
    member, made = world.connected()
    first, second = world.verify(member, made), world.verify(member, made)
    for name in ("connected_at", "role_arn", "checks"):
        assert first.json()[name] == second.json()[name]
    assert first.json()["discovery"]["run_id"] == second.json()["discovery"]["run_id"]
    assert world.get(member, made)["external_id"] == made["external_id"]


def test_verify_takes_a_role_of_another_name_and_path(world: World, member: SignedIn) -> None:
    made = world.create(member)
    arn = world.deploy(made, name="my-own-role")
    assert world.verify(member, made).status_code == 422
    answer = world.verify(member, made, role_arn=arn)
    assert (answer.status_code, answer.json()["role_arn"]) == (200, arn)
    # The connected role is the one that later verifications mean.
    assert world.verify(member, made).json()["role_arn"] == arn


def test_a_refusal_says_how_to_mend_it_and_mending_connects(world: World, member: SignedIn) -> None:
    made = world.create(member)
    world.deploy(made, good_trust(made["external_id"]), readable=False)
    answer = world.verify(member, made)
    assert code(answer) == (422, "TRUST_UNREADABLE")
    (detail,) = answer.json()["error"]["details"]
    assert "iam:GetRole" in detail["message"]
    assert "arn:" not in answer.text
    arn = f"arn:aws:iam::{CUSTOMER_ACCOUNT}:role/{made['role_name']}"
    world.customer().put_role_policy(made["role_name"], "own", allow("iam:GetRole", arn))
    assert world.verify(member, made).status_code == 200
    assert world.get(member, made)["refusal"] is None


def test_another_tenants_account_is_taken(world: World) -> None:
    world.connected()
    late = sign_in(roles=("client",))
    request = world.create(late)
    world.deploy(request)
    answer = world.verify(late, request)
    assert code(answer) == (409, "ACCOUNT_ALREADY_CONNECTED")
    assert world.get(late, request)["status"] == "pending"


def test_only_one_verification_runs(
    world: World, member: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.create(member)
    world.deploy(made)
    inner: list[Any] = []
    probe = wiring.Prober.probe

    def probing(*args: Any) -> Any:
        inner.append(world.verify(member, made))
        inner.append(world.get(member, made)["status"])
        return probe(*args)

    with monkeypatch.context() as patched:
        patched.setattr(wiring.Prober, "probe", probing)
        answer = world.verify(member, made)
    running, status = inner[0], inner[1]
    assert code(running) == (409, "VERIFY_RUNNING")
    assert 1 <= int(running.headers["retry-after"]) <= 60
    assert status == "verifying"
    assert answer.status_code == 200


def test_a_silent_aws_is_no_verdict(
    world: World, member: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.create(member)

    def silent(*args: Any) -> Any:
        raise ServiceUnavailable(log="sts does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(wiring.Prober, "probe", silent)
        assert code(world.verify(member, made)) == (503, "SERVICE_UNAVAILABLE")
    assert world.get(member, made)["status"] == "pending"
    world.deploy(made)
    assert world.verify(member, made).status_code == 200


# ---- discovery ------------------------------------------------------------------------------


def test_discovery_is_not_started_before_the_connection(world: World, member: SignedIn) -> None:
    made = world.create(member)
    body = world.client.get(f"/onboarding/{made['id']}/discovery", headers=member.headers).json()
    assert body == {
        "id": made["id"], "account_id": CUSTOMER_ACCOUNT, "run_id": None, "status": "not_started",
        "progress": 0, "started_at": None, "completed_at": None, "resources_found": 0,
        "regions": [],
    }  # fmt: skip


def test_rediscover_waits_for_the_running_one(world: World) -> None:
    member, made = world.connected()
    path = f"/onboarding/{made['id']}/rediscover"
    assert code(world.client.post(path, headers=member.headers)) == (409, "DISCOVERY_RUNNING")


def test_rediscover_needs_a_connection_and_known_services(world: World, member: SignedIn) -> None:
    made = world.create(member)
    path = f"/onboarding/{made['id']}/rediscover"
    assert code(world.client.post(path, headers=member.headers)) == (409, "NOT_CONNECTED")
    owner, connected = world.connected("444444444444")
    answer = world.client.post(
        f"/onboarding/{connected['id']}/rediscover",
        json={"services": ["no-such-service"]},
        headers=owner.headers,
    )
    assert code(answer) == (422, "VALIDATION_ERROR")


def test_rediscover_starts_a_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    member, made = world.connected()
    started: list[Any] = []
    monkeypatch.setattr(
        "tidegate.discovery.public.start", lambda settings, request, clock: started.append(request)
    )
    answer = world.client.post(
        f"/onboarding/{made['id']}/rediscover",
        json={"regions": ["eu-west-1"], "services": ["s3"]},
        headers=member.headers,
    )
    assert answer.status_code == 202
    (request,) = started
    assert answer.json() == {"id": made["id"], "run_id": request.run_id, "status": "running"}
    assert (list(request.regions), request.services) == (["eu-west-1"], ["s3"])
    assert request.account_id == CUSTOMER_ACCOUNT


# ---- credentials ----------------------------------------------------------------------------


def send_keys(world: World, member: SignedIn, keys: tuple[str, str], **body: Any) -> Any:
    return world.client.post(
        "/onboarding/connect/credentials",
        json={"access_key_id": keys[0], "secret_access_key": keys[1], **body},
        headers=member.headers,
    )


def test_keys_connect_an_account_and_are_masked(world: World, member: SignedIn) -> None:
    keys = world.customer().create_user("reader", {"read": allow("ec2:Describe*")})
    answer = send_keys(world, member, keys, label="Old", regions=["eu-west-1"])
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {
        "id", "account_id", "label", "connection_method", "status", "tier", "regions", "role_arn",
        "access_key_id", "refusal", "resource_count", "created_at", "connected_at",
        "last_verified_at", "last_discovery_at", "discovery", "warnings",
    }  # fmt: skip
    assert body["access_key_id"] == f"***{keys[0][-4:]}"
    assert (body["account_id"], body["connection_method"]) == (CUSTOMER_ACCOUNT, "credentials")
    assert [w["code"] for w in body["warnings"]] == ["LONG_LIVED_KEYS"]
    shown = world.get(member, body)
    assert (shown["external_id"], shown["template_url"], shown["role_name"]) == (None, None, None)
    assert code(world.verify(member, body)) == (409, "ACCOUNT_ALREADY_CONNECTED")


def test_new_keys_replace_the_tenants_own(world: World, member: SignedIn) -> None:
    first = send_keys(world, member, world.customer().create_user("one"))
    keys = world.customer().create_user("two")
    again = send_keys(world, member, keys)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["access_key_id"] == f"***{keys[0][-4:]}"
    other = sign_in(roles=("client",))
    assert code(send_keys(world, other, keys)) == (409, "ACCOUNT_ALREADY_CONNECTED")


def test_keys_finish_an_unfinished_request(world: World, member: SignedIn) -> None:
    made = world.create(member)
    answer = send_keys(world, member, world.customer().create_user("reader"))
    assert (answer.status_code, answer.json()["id"]) == (201, made["id"])


def test_keys_do_not_replace_a_role(world: World) -> None:
    member, _ = world.connected()
    answer = send_keys(world, member, world.customer().create_user("reader"))
    assert code(answer) == (409, "ACCOUNT_ALREADY_CONNECTED")


@pytest.mark.parametrize(
    ("account", "declared", "expected"),
    [
        (CUSTOMER_ACCOUNT, "333333333333", (422, "ACCOUNT_MISMATCH")),
        (PLATFORM_ACCOUNT, None, (422, "ACCOUNT_MISMATCH")),
    ],
)
def test_keys_of_another_account_are_refused(
    world: World, member: SignedIn, account: str, declared: str | None, expected: Any
) -> None:
    keys = world.customer(account).create_user("reader")
    body = {} if declared is None else {"account_id": declared}
    assert code(send_keys(world, member, keys, **body)) == expected
    assert world.client.get("/onboarding", headers=member.headers).json()["total"] == 0


def test_every_route_is_declared(world: World) -> None:
    assert {spec.name for spec in router.specs} == {
        "POST /onboarding/create",
        "GET /onboarding/template/{id}",
        "POST /onboarding/{id}/verify",
        "POST /onboarding/connect/credentials",
        "GET /onboarding",
        "GET /onboarding/{id}",
        "GET /onboarding/{id}/discovery",
        "POST /onboarding/{id}/rediscover",
    }
