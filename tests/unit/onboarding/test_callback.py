"""Stack call-backs on in-memory twins: what is believed, what is answered, what follows."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from tidegate.onboarding.callback import (
    REJECTED,
    StackCallback,
    deletes_a_failure,
    failure,
    named_registration,
    read_message,
    response_body,
)
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.repository import Outcome
from tidegate.onboarding.service import disconnect

from tests.builders.settings import CUSTOMER_ACCOUNT
from tests.unit.onboarding.conftest import TENANT, Bench

URL = "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/a%7Cb?X-Amz-x=1"
STACK = f"arn:aws:cloudformation:us-east-1:{CUSTOMER_ACCOUNT}:stack/tidegate/0f8f5a52-6a57"


def event(made: Registration, kind: str = "Create", **changes: Any) -> dict[str, Any]:
    """A call-back as the template's custom resource sends it; "p.X" changes a property."""
    arn = f"arn:aws:iam::{made.account_id}:role/{made.role_name}"
    properties = {
        "ServiceToken": "arn:aws:sns:us-east-1:123456789012:tidegate-test-callback",
        "ServiceTimeout": "900", "OnboardingId": made.id, "ExternalId": made.external_id,
        "AccountId": made.account_id, "RoleArn": arn, "Tier": "read", "TemplateVersion": "1",
    }  # fmt: skip
    message = {
        "RequestType": kind, "ResponseURL": URL, "StackId": STACK,
        "RequestId": f"{kind}-1", "LogicalResourceId": "Connection",
        "ResourceType": "Custom::TidegateConnection", "ResourceProperties": properties,
    }  # fmt: skip
    if kind != "Create":
        message["PhysicalResourceId"] = f"tidegate-{made.id}"
    for name, value in changes.items():
        target = properties if name.startswith("p_") else message
        name = name.removeprefix("p_")
        if value is None:
            target.pop(name, None)
        else:
            target[name] = value
    return message


def deliver(bench: Bench, message: dict[str, Any]) -> Outcome | None:
    """What the call-back function does, without the answer's way; None: dropped."""
    read = read_message(json.dumps(message))
    if read is None:
        return None
    if deletes_a_failure(read):
        return Outcome("SUCCESS", "", read.physical_id or "")
    found = named_registration(read, bench.registry, bench.table.store_of)
    if found is None:
        return failure(read, REJECTED)
    decider = StackCallback(bench.store, bench.verifier(), bench.patience(), bench.clock)
    outcome = decider.outcome(read, found)
    if read.request_type == "Delete":
        decider.after_delete(read, found)
    return outcome


def test_create_connects_with_the_stacks_tier(bench: Bench) -> None:
    made = bench.request()
    bench.deploy(made)
    outcome = deliver(bench, event(made, p_Tier="remediate"))
    assert outcome is not None
    assert (outcome.status, outcome.physical_id) == ("SUCCESS", f"tidegate-{made.id}")
    row = bench.row(made)
    assert (row.status, row.tier, row.stack_id, row.actor) == (
        "connected", "remediate", STACK, "stack",
    )  # fmt: skip


def test_a_failure_answers_with_the_fix_and_an_id_of_its_own(bench: Bench) -> None:
    made = bench.request()
    outcome = deliver(bench, event(made))
    assert outcome is not None
    assert (outcome.status, outcome.physical_id) == ("FAILED", "tidegate-failed-Create-1")
    assert outcome.reason.startswith("ROLE_NOT_ASSUMABLE: ")
    assert 225 <= sum(bench.waited) <= 240


FORGED: dict[str, dict[str, Any]] = {
    "unknown-id": {"p_OnboardingId": "7d5f1a52-1f57-4c3c-9f0e-7d5f6f1d2b11"},
    "no-id": {"p_OnboardingId": None},
    "odd-id": {"p_OnboardingId": "x#y"},
    "other-external-id": {"p_ExternalId": "7d5f1a52-1f57-4c3c-9f0e-7d5f6f1d2b11"},
    "no-external-id": {"p_ExternalId": None},
    "external-id-of-another-type": {"p_ExternalId": ["x"]},
    "other-account": {"p_AccountId": "333333333333"},
    "stack-of-another-account": {"StackId": STACK.replace(CUSTOMER_ACCOUNT, "333333333333")},
    "role-of-another-account": {"p_RoleArn": "arn:aws:iam::333333333333:role/x"},
    "role-of-another-partition": {"p_RoleArn": f"arn:aws-cn:iam::{CUSTOMER_ACCOUNT}:role/x"},
    "no-role": {"p_RoleArn": f"arn:aws:iam::{CUSTOMER_ACCOUNT}:user/x"},
    "other-type": {"ResourceType": "Custom::Other"},
    "no-properties": {"ResourceProperties": None},
}


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_message_fails_with_one_reason_and_changes_nothing(
    bench: Bench, name: str, kind: str
) -> None:
    made = bench.connected()
    before = dict(bench.table.rows)
    outcome = deliver(bench, event(made, kind, **FORGED[name]))
    assert outcome is not None
    assert (outcome.status, outcome.reason) == ("FAILED", REJECTED)
    assert (bench.table.rows, bench.table.outcomes) == (before, {})
    assert len(bench.roles.calls) == 3  # those of the connection


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "null", '{"RequestType":"Create"}', "[" * 10_000,
     json.dumps({"RequestType": "Create", "ResponseURL": 7, "StackId": STACK})],
)  # fmt: skip
def test_what_cannot_be_answered_is_dropped(text: str) -> None:
    assert read_message(text) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("RequestType", "Destroy"), ("StackId", "arn:aws:cloudformation:us-east-1:1:stack/x/y"),
     ("RequestId", "a#b"), ("RequestId", "x" * 200), ("LogicalResourceId", "a-b"),
     ("ResponseURL", "https://x\ny"), ("StackId", None)],
)  # fmt: skip
def test_odd_envelopes_are_dropped(bench: Bench, name: str, value: Any) -> None:
    made = bench.request()
    assert deliver(bench, event(made, **{name: value})) is None


def test_a_repeated_request_is_answered_alike_and_done_once(bench: Bench) -> None:
    made = bench.request()
    bench.deploy(made)
    first = deliver(bench, event(made))
    calls, row = len(bench.roles.calls), bench.row(made)
    bench.roles.roles.clear()  # even though the world has changed
    assert deliver(bench, event(made)) == first
    assert (len(bench.roles.calls), bench.row(made)) == (calls, row)


def test_delete_disconnects_once_the_role_is_gone(bench: Bench) -> None:
    made = bench.connected()
    wait = bench.wait

    def deleting(seconds: float) -> None:
        wait(seconds)
        bench.roles.roles.clear()

    bench.wait = deleting  # type: ignore[method-assign]
    outcome = deliver(bench, event(made, "Delete"))
    assert outcome is not None
    assert (outcome.status, outcome.physical_id) == ("SUCCESS", f"tidegate-{made.id}")
    assert len(bench.waited) == 1
    row = bench.row(made)
    assert (row.status, row.actor) == ("disconnected", "stack")
    assert (bench.table.claims, bench.table.slots) == ({}, {})


def test_delete_with_the_role_left_is_an_alert(bench: Bench) -> None:
    made = bench.connected()
    deliver(bench, event(made, "Delete"))
    row = bench.row(made)
    assert (row.status, row.alert) == ("connected", "ACCESS_LEFT")
    assert 225 <= sum(bench.waited) <= 240
    bench.roles.roles.clear()  # the role goes later: the daily re-probe ends it
    assert bench.verifier().reprobe(row, "reprobe").status == "disconnected"


def test_a_silent_aws_disconnects_nobody(bench: Bench) -> None:
    made = bench.connected()
    bench.roles.down = True
    deliver(bench, event(made, "Delete"))
    assert bench.row(made).status == "connected"


@pytest.mark.parametrize(
    "changes",
    [{"PhysicalResourceId": "tidegate-failed-Create-1"},
     {"PhysicalResourceId": "tidegate-00000000-0000-4000-8000-000000000000"},
     {"StackId": STACK.replace("/tidegate/", "/another/")}],
    ids=["failed", "foreign-resource", "foreign-stack"],
)  # fmt: skip
def test_the_end_of_another_stack_is_not_ours(bench: Bench, changes: dict[str, Any]) -> None:
    made = bench.request()
    bench.deploy(made)
    deliver(bench, event(made))
    bench.roles.roles.clear()
    before = bench.row(made)
    outcome = deliver(bench, event(made, "Delete", **changes))
    assert outcome is not None
    assert outcome.status == "SUCCESS"
    assert bench.row(made) == before


ORDERS = list(itertools.permutations(["Create", "Update", "Delete"]))


@pytest.mark.parametrize("left", [False, True], ids=["gone", "left"])
@pytest.mark.parametrize("order", ORDERS, ids="".join)
def test_all_orders_end_alike(bench: Bench, order: tuple[str, ...], left: bool) -> None:
    made = bench.request()
    bench.deploy(made)
    for kind in order:
        if kind == "Delete" and not left:
            bench.roles.roles.clear()
        deliver(bench, event(made, kind))
    for kind in order:  # and once more
        deliver(bench, event(made, kind))
    row = bench.row(made)
    assert row.status == ("connected" if left else "disconnected")
    assert len(bench.table.claims) == left
    assert len(bench.table.slots) == left


def test_a_late_create_does_not_revive_a_disconnected_request(bench: Bench) -> None:
    made = bench.connected()
    disconnect(bench.store, made.id, "owner", bench.clock())
    outcome = deliver(bench, event(made, RequestId="late"))
    assert outcome is not None
    assert outcome.status == "FAILED"
    assert bench.row(made).status == "disconnected"
    gone = deliver(bench, event(made, "Delete"))
    assert gone is not None
    assert gone.status == "SUCCESS"


def test_a_call_back_waits_for_a_running_verification(bench: Bench) -> None:
    from datetime import timedelta

    from tidegate.onboarding.domain import Lease

    made = bench.request()
    bench.deploy(made)
    until = bench.clock() + timedelta(seconds=60)
    bench.put(made, status="verifying", lease=Lease("other", until))
    outcome = deliver(bench, event(made))
    assert outcome is not None
    assert outcome.status == "SUCCESS"
    assert 60 <= sum(bench.waited) <= 75


def test_an_account_of_another_tenant_fails_without_a_hint(bench: Bench) -> None:
    bench.connected(tenant="1a1b2c3d-0000-4000-8000-00000000000b")
    made = bench.request()
    bench.deploy(made)
    outcome = deliver(bench, event(made))
    assert outcome is not None
    assert outcome.status == "FAILED"
    assert outcome.reason == "ACCOUNT_ALREADY_CONNECTED: This AWS account is already connected."
    assert TENANT not in outcome.reason


def test_the_answer_fits_cloudformations_limit(bench: Bench) -> None:
    made = bench.request()
    message = event(
        made, RequestId="r" * 128, LogicalResourceId="L" * 255, PhysicalResourceId="p" * 1024,
        StackId=f"arn:aws:cloudformation:us-east-1:{CUSTOMER_ACCOUNT}:stack/{'s' * 128}/{'i' * 64}",
    )  # fmt: skip
    read = read_message(json.dumps(message))
    assert read is not None
    body = response_body(read, Outcome("FAILED", "\u00e9" * 5000, "p" * 1024))
    assert len(body) <= 4096
    assert set(json.loads(body)) == {
        "Status", "Reason", "PhysicalResourceId", "StackId", "RequestId", "LogicalResourceId",
        "Data",
    }  # fmt: skip
