"""The client's view over the whole pipeline (contract 2.8, CLI-1, CLI-2)."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
import yaml
from botocore.client import BaseClient
from botocore.exceptions import ConnectTimeoutError
from tidegate.accounts.routes import router
from tidegate.discovery import views
from tidegate.discovery.repository import DynamoDiscoveryRepository
from tidegate.onboarding.repository import DynamoGlobalRegistry, DynamoRegistrations
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import Seen, add_account, add_inventory
from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.tables import dump_tables

OTHER_ACCOUNT = "333333333333"
TABLES = ("tidegate-test-onboarding", "tidegate-test-discovery")
BUCKET = "tidegate-test-data"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def client(platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    return ApiClient([router], platform, clock)


@pytest.fixture
def member(client: ApiClient, clock: FixedClock) -> SignedIn:
    return sign_in(roles=("client",), clock=clock)


def get(client: ApiClient, member: SignedIn, path: str) -> dict[str, Any]:
    answer = client.get(f"/api/client{path}", headers=member.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def dump() -> dict[str, Any]:
    return dump_tables(boto3.client("dynamodb", region_name=REGION), TABLES)


def test_nothing_connected_is_setup_and_zero_or_null(client: ApiClient, member: SignedIn) -> None:
    assert get(client, member, "/dashboard") == {
        "setup_required": True,
        "accounts": {"total": 0, "connected": 0, "pending": 0, "refused": 0, "access_lost": 0},
        "resources": {"total": 0, "by_type": []},
        "costs": {
            "month_to_date": None, "last_month": None, "forecast_month": None, "series": [],
        },
        "savings": {
            "identified_monthly": "0.00", "realised_to_date": "0.00", "unpriced_findings": 0,
            "coverage_percent": None,
        },
        "findings": {"open": 0, "top": []},
        "workflows": {"active": 0, "executions_last_24h": 0, "failed_last_24h": 0},
        "experiments": {"running": 0, "recent": 0},
        "approvals": {"pending": 0},
        "alerts": [],
        "generated_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    assert get(client, member, "/summary") == {
        "setup_required": True, "accounts_connected": 0, "resources_total": 0, "open_findings": 0,
        "identified_monthly": "0.00", "pending_approvals": 0, "month_to_date": None,
        "generated_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    page = {"total": 0, "page": 1, "page_size": 10, "total_pages": 0}
    assert get(client, member, "/accounts") == {"accounts": [], **page}
    assert get(client, member, "/resources") == {"resources": [], **page}


def test_the_account_object(client: ApiClient, member: SignedIn, clock: FixedClock) -> None:
    made = add_account(member.tenant_id, clock=clock, label="Production")
    shown = get(client, member, f"/accounts/{made.id}")
    assert shown == {
        "id": made.id, "account_id": CUSTOMER_ACCOUNT, "label": "Production",
        "connection_method": "role", "status": "connected", "tier": "read",
        "regions": ["eu-west-1"], "role_arn": made.role_arn, "access_key_id": None,
        "refusal": None, "resource_count": None, "created_at": "2026-01-02T03:04:05Z",
        "connected_at": "2026-01-02T03:04:05Z", "last_verified_at": "2026-01-02T03:04:05Z",
        "last_discovery_at": None,
    }  # fmt: skip
    assert made.external_id not in client.get("/client/accounts", headers=member.headers).text
    clock.advance(minutes=5)
    add_inventory(made, Seen(["a", "b"]), clock=clock)
    shown = get(client, member, f"/accounts/{made.id}")
    assert shown["resource_count"] == 2
    assert shown["last_discovery_at"] == "2026-01-02T03:09:05Z"
    assert get(client, member, "/accounts")["accounts"] == [shown]


def test_an_empty_account_has_zero_resources_once_discovered(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    made = add_account(member.tenant_id, clock=clock)
    add_inventory(made, Seen([]), clock=clock)
    assert get(client, member, f"/accounts/{made.id}")["resource_count"] == 0


def test_accounts_are_paged_newest_first(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    made = []
    for number in range(12):
        clock.advance(seconds=1)
        made.append(add_account(member.tenant_id, f"{number:012d}", clock=clock).id)
    first = get(client, member, "/accounts")
    assert [row["id"] for row in first["accounts"]] == made[:1:-1]
    assert (first["total"], first["total_pages"]) == (12, 2)
    rest = get(client, member, f"/accounts?cursor={first['next_cursor']}")
    assert [row["id"] for row in rest["accounts"]] == made[1::-1]
    assert "next_cursor" not in rest
    assert get(client, member, "/accounts?page=9")["accounts"] == []
    cut = get(client, member, "/accounts?fields=status&page_size=1")["accounts"]
    assert cut == [{"id": made[-1], "status": "connected"}]


def test_the_dashboard_counts_accounts_and_resources(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    made = add_account(member.tenant_id, clock=clock)
    add_account(member.tenant_id, "444444444444", status="pending", clock=clock)
    add_account(member.tenant_id, "555555555555", status="access_lost", clock=clock)
    keys = {"method": "credentials", "access_key_masked": "AKIA****WXYZ"}
    add_account(member.tenant_id, "666666666666", clock=clock, **keys)
    add_inventory(
        made,
        Seen(["a"], service="ebs", type="ec2:volume"),
        Seen(["b", "c"]),
        Seen(["d"], region="us-east-1"),
        clock=clock,
    )
    board = get(client, member, "/dashboard")
    assert board["setup_required"] is False
    assert board["accounts"] == {
        "total": 4, "connected": 2, "pending": 1, "refused": 0, "access_lost": 1,
    }  # fmt: skip
    assert board["resources"] == {
        "total": 4,
        "by_type": [{"type": "ec2:instance", "count": 3}, {"type": "ec2:volume", "count": 1}],
    }
    assert sorted((alert["severity"], alert["status"]) for alert in board["alerts"]) == [
        ("critical", "access_lost"), ("warning", "LONG_LIVED_KEYS"),
    ]  # fmt: skip
    short = get(client, member, "/summary")
    assert (short["accounts_connected"], short["resources_total"]) == (2, 4)


def test_resources_are_filtered_and_paged(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    made = add_account(member.tenant_id, clock=clock)
    names = [f"vm-{number:02d}" for number in range(15)]
    add_inventory(
        made,
        Seen(names, tags={"team": "search"}),
        Seen(["disk"], service="ebs", type="ec2:volume", region="us-east-1"),
        clock=clock,
    )
    found = get(client, member, "/resources?page_size=100")
    assert found["total"] == len(found["resources"]) == 16
    one = next(row for row in found["resources"] if row["name"] == "disk")
    assert one == {
        "id": one["id"], "arn": f"arn:aws:ec2:us-east-1:{CUSTOMER_ACCOUNT}:instance/disk",
        "type": "ec2:volume", "name": "disk", "account_id": CUSTOMER_ACCOUNT,
        "region": "us-east-1", "state": "running", "tags": {},
        "first_seen_at": "2026-01-02T03:04:05Z", "last_seen_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    for query, count in (
        ("type=ec2:volume", 1), ("region=eu-west-1", 15), (f"account_id={CUSTOMER_ACCOUNT}", 16),
        ("account_id=999999999999", 0), ("q=VM-1", 5), ("q=search", 15), ("q=disk&type=x", 0),
    ):  # fmt: skip
        assert get(client, member, f"/resources?{query}")["total"] == count, query
    seen: list[str] = []
    page = get(client, member, "/resources?page_size=6")
    while True:
        seen += [row["id"] for row in page["resources"]]
        if "next_cursor" not in page:
            break
        page = get(client, member, f"/resources?page_size=6&cursor={page['next_cursor']}")
    assert seen == [row["id"] for row in found["resources"]]


@pytest.mark.parametrize(
    "query", ["account_id=12", "account_id=abc", "q=", "page_size=0", "region=" + "x" * 201]
)
def test_bad_filters_are_refused(client: ApiClient, member: SignedIn, query: str) -> None:
    answer = client.get(f"/client/resources?{query}", headers=member.headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == query.partition("=")[0]


def test_a_cursor_of_another_filter_is_refused(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    add_inventory(add_account(member.tenant_id, clock=clock), Seen(["a", "b"]), clock=clock)
    cursor = get(client, member, "/resources?page_size=1")["next_cursor"]
    answer = client.get(
        f"/client/resources?page_size=1&q=a&cursor={cursor}", headers=member.headers
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_CURSOR"


def test_permissions_tell_what_was_denied_and_how_to_add_it(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    made = add_account(member.tenant_id, clock=clock)
    clock.advance(minutes=10)
    add_inventory(
        made,
        Seen(["a"]),
        Seen(service="ec2-instances", region="us-east-1", status="skipped"),
        Seen(service="ec2-volumes", status="denied", missing_actions=("ec2:DescribeVolumes",),
             reason="the role has no permission"),
        Seen(["x"], service="s3-buckets", region="global", status="partial",
             missing_actions=("s3:GetEncryptionConfiguration",),
             reason="denied by an organisation policy (SCP)"),
        clock=clock,
    )  # fmt: skip
    clock.advance(minutes=10)
    shown = get(client, member, f"/accounts/{made.id}/permissions")
    assert shown["account_id"] == CUSTOMER_ACCOUNT
    assert shown["tier"] == "read"
    assert shown["checked_at"] == "2026-01-02T03:14:05Z"
    by_name = {feature["feature"]: feature for feature in shown["features"]}
    assert by_name["discovery:ec2-instances"] == {
        "feature": "discovery:ec2-instances", "granted": True, "missing_actions": [],
        "denied_by": None,
    }  # fmt: skip
    assert by_name["discovery:ec2-volumes"] == {
        "feature": "discovery:ec2-volumes", "granted": False,
        "missing_actions": ["ec2:DescribeVolumes"], "denied_by": "policy",
    }  # fmt: skip
    assert by_name["discovery:s3-buckets"]["denied_by"] == "scp"
    policy = yaml.safe_load(shown["delta_template"])["Resources"]["TidegateMissingActions"]
    assert policy["Type"] == "AWS::IAM::Policy"  # stands in the role, which may read it itself
    assert policy["Properties"]["Roles"] == [str(made.role_arn).rpartition("/")[2]]
    assert policy["Properties"]["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": ["ec2:DescribeVolumes"], "Resource": "*"}
    ]


def test_permissions_before_any_discovery_are_unknown_not_granted(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    made = add_account(member.tenant_id, clock=clock)
    shown = get(client, member, f"/accounts/{made.id}/permissions")
    assert shown["delta_template"] is None
    assert shown["features"]
    for feature in shown["features"]:
        assert (feature["granted"], feature["denied_by"]) == (False, "unknown")
        assert feature["missing_actions"] == []


def test_disconnecting_takes_everything_out_of_view_and_frees_the_account(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    made = add_account(member.tenant_id, clock=clock)
    kept = add_account(member.tenant_id, OTHER_ACCOUNT, clock=clock)
    add_inventory(made, Seen(["a", "b"]), clock=clock)
    add_inventory(kept, Seen(["c"]), clock=clock)
    answer = client.delete(f"/client/accounts/{made.id}", headers=member.headers)
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("message")
    assert str(made.role_arn) in body.pop("cleanup")
    assert body == {
        "id": made.id, "account_id": CUSTOMER_ACCOUNT, "status": "disconnected",
        "cascade": {"state": "running", "resources": 2, "findings": 0, "plans": 0},
    }  # fmt: skip
    assert [row["id"] for row in get(client, member, "/accounts")["accounts"]] == [kept.id]
    assert get(client, member, "/dashboard")["resources"]["total"] == 1
    assert get(client, member, "/resources")["total"] == 1
    assert get(client, member, "/resources?q=a&account_id=222222222222")["total"] == 0
    assert DynamoGlobalRegistry().holder_of(CUSTOMER_ACCOUNT) is None
    for path in ("", "/permissions"):
        gone = client.get(f"/client/accounts/{made.id}{path}", headers=member.headers)
        assert gone.status_code == 404
    again = client.delete(f"/client/accounts/{made.id}", headers=member.headers)
    assert again.status_code == 404
    other = sign_in(roles=("client",), clock=clock)
    assert add_account(other.tenant_id, clock=clock).status == "connected"


def test_disconnecting_erases_stored_keys(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    keys = {"method": "credentials", "sealed_keys": "v1.x.y.z", "access_key_masked": "AKIA****WXYZ"}
    made = add_account(member.tenant_id, clock=clock, **keys)
    answer = client.delete(f"/client/accounts/{made.id}", headers=member.headers)
    assert "access key" in answer.json()["cleanup"]
    assert answer.json()["cascade"]["state"] == "completed"
    stored = DynamoRegistrations(TenantScope(member.tenant_id)).get(made.id)
    assert stored is not None
    assert (stored.sealed_keys, stored.access_key_masked) == (None, None)
    assert "v1.x.y.z" not in str(dump())


def test_a_disconnect_whose_cascade_fails_is_still_a_disconnect(
    client: ApiClient, member: SignedIn, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is the commit point; onboarding's stream finishes the rest."""
    made = add_account(member.tenant_id, clock=clock)
    add_inventory(made, Seen(["a"]), clock=clock)
    real = BaseClient._make_api_call

    def call(api: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "UpdateItem" and str(arguments.get("TableName")).endswith("discovery"):
            raise ConnectTimeoutError(endpoint_url="https://store.example.invalid")
        return real(api, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    answer = client.delete(f"/client/accounts/{made.id}", headers=member.headers)
    assert answer.status_code == 200
    assert answer.json()["cascade"]["state"] == "running"
    assert DynamoGlobalRegistry().holder_of(CUSTOMER_ACCOUNT) is None


@pytest.mark.hazard("B1")
@pytest.mark.parametrize(
    ("method", "suffix"),
    [("GET", ""), ("GET", "/permissions"), ("DELETE", "")],
    ids=["read", "permissions", "disconnect"],
)
@pytest.mark.bite(
    "tidegate.accounts.wiring.onboarding.connection",
    lambda scope, onboarding_id, clock: _anybodys(onboarding_id),
    cases=["read", "permissions"],
)
def test_another_tenants_account_is_absent(
    client: ApiClient, member: SignedIn, clock: FixedClock, method: str, suffix: str
) -> None:
    """B1: read, permissions, delete of a foreign id: 404 as for an id that never was."""
    made = add_account(member.tenant_id, clock=clock)
    stranger = sign_in(roles=("client",), clock=clock)
    before = dump()
    answers = [
        client.request(method, f"/client/accounts/{id}{suffix}", headers=stranger.headers)
        for id in (made.id, new_id())
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert _masked(answers[0]) == _masked(answers[1])
    assert dump() == before


def _anybodys(onboarding_id: str) -> Any:
    """A look-up without the tenant in its key."""
    from tidegate.onboarding.public import connection_of

    tenant = DynamoGlobalRegistry().tenant_of(onboarding_id)
    if tenant is None:
        return None
    found = DynamoRegistrations(TenantScope(tenant)).get(onboarding_id)
    return None if found is None else connection_of(found, FixedClock()())


def _masked(answer: Any) -> tuple[Any, ...]:
    error = answer.json()["error"]
    hidden = {"timestamp", "request_id"}
    return answer.status_code, {k: v for k, v in error.items() if k not in hidden}


_owner: list[str] = []


def _owners_resources(scope: TenantScope, *arguments: Any) -> Any:
    """A list whose key does not begin with the caller's tenant."""
    owner = DynamoDiscoveryRepository(TenantScope(_owner[-1]))
    return views.list_resources(owner, *arguments)


@pytest.mark.hazard("B2")
@pytest.mark.bite("tidegate.accounts.wiring.discovery.list_resources", _owners_resources)
def test_lists_and_figures_hold_nothing_of_another_tenant(
    client: ApiClient, member: SignedIn, clock: FixedClock
) -> None:
    """B2: canary rows of a tenant reach no list, search or count of another."""
    made = add_account(member.tenant_id, clock=clock, label="canary-label")
    add_inventory(made, Seen(["canary-vm"], tags={"canary": "tag"}), clock=clock)
    _owner.append(member.tenant_id)
    stranger = sign_in(roles=("client",), clock=clock)
    for path in ("/accounts", "/resources", "/resources?q=canary", "/dashboard", "/summary"):
        answer = client.get(f"/client{path}", headers=stranger.headers)
        assert answer.status_code == 200
        assert "canary" not in answer.text
        assert CUSTOMER_ACCOUNT not in answer.text
    assert get(client, stranger, "/summary")["resources_total"] == 0


def test_a_plain_user_may_not_see_accounts(client: ApiClient, clock: FixedClock) -> None:
    user = sign_in(roles=("user",), clock=clock)
    for method, path in (
        ("GET", "/accounts"), ("GET", "/dashboard"), ("GET", "/summary"), ("GET", "/resources"),
        ("GET", f"/accounts/{new_id()}"), ("DELETE", f"/accounts/{new_id()}"),
        ("GET", f"/accounts/{new_id()}/permissions"),
    ):  # fmt: skip
        answer = client.request(method, f"/client{path}", headers=user.headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
