"""The third story: waste with prices, a plan, an approval, the clean-up, the undo, the ledger."""

from __future__ import annotations

from typing import Any

from infra.demo.api import Api, ApiFailed
from infra.demo.customer import Customer
from infra.demo.telling import Telling

CHECK = "ebs-gp2-to-gp3"
SETTLED = ("executed", "partially_executed", "failed", "undone")


def clean_up(api: Api, colleague: Api, customer: Customer, telling: Telling) -> None:
    """From findings to the undone plan. Raises ApiFailed when a step ends otherwise."""
    found = find(api, telling)
    if not found:
        telling.say("no volume is left on gp2: an earlier demo's plan was not undone")
        return
    plan = plan_for(api, found[:3], telling)
    volumes = [item["resource_arn"] for item in plan["items"]]
    before = {arn: customer.volume_type_of(arn) for arn in volumes}
    approve(api, colleague, plan, telling)
    settle(api, plan["id"], "execute", "executed", telling)
    compare(customer, before, "after the clean-up", telling)
    ledger(api, telling)
    settle(api, plan["id"], "undo", "undone", telling)
    compare(customer, before, "after the undo", telling)
    ledger(api, telling)


def find(api: Api, telling: Telling) -> list[dict[str, Any]]:
    """Refresh the findings, show what the waste costs, give the volumes that could be gp3."""
    for group in ("waste", "storage"):
        refresh(api, group)
        summary = api.call("GET", f"/{group}/summary")
        coverage = summary["coverage"]
        telling.say(
            f"{group}: {summary['open']} open findings, {summary['identified_monthly']} USD a "
            f"month, {summary['unpriced']} without a known price; checks: {coverage['found']} "
            f"found, {coverage['clean']} clean, {coverage['unknown']} unknown"
        )
    rows: list[dict[str, Any]] = api.call("GET", "/storage/findings?page_size=100")["findings"]
    telling.table(
        ["check", "resource", "USD a month", "formula"],
        [
            (row["check_id"], _name(row["resource"]["arn"]), row["saving"]["monthly"] or "unknown",
             row["saving"]["formula"][:60])
            for row in rows[:8]
        ],
    )  # fmt: skip
    return [row for row in rows if row["check_id"] == CHECK and row["status"] == "open"]


def refresh(api: Api, group: str) -> None:
    """Evaluate the checks on the newest inventory; wait for the first evaluation."""
    try:
        api.call("POST", f"/{group}/refresh", {})
    except ApiFailed as refused:
        if refused.code != "REFRESH_RUNNING":  # the end of a discovery starts one by itself
            raise
    for _ in api.poll(f"/{group}/summary", lambda seen: seen["as_of"] is not None):
        pass


def plan_for(api: Api, found: list[dict[str, Any]], telling: Telling) -> dict[str, Any]:
    """A plan over findings, as policy decided it."""
    plan: dict[str, Any] = api.call(
        "POST", "/waste/plans", {"finding_ids": [row["id"] for row in found]}
    )
    decision = plan["decision"]
    telling.say(f"plan {plan['id']}, hash {plan['plan_hash'][:16]}..., status {plan['status']}")
    telling.say(f"policy {', '.join(decision['policy_ids'])} says {decision['effect']}")
    telling.table(
        ["action", "resource", "parameters", "USD a month", "reversible"],
        [
            (item["action"], _name(item["resource_arn"]), item["parameters"],
             item["monthly"], item["reversible"])
            for item in plan["items"]
        ],
    )  # fmt: skip
    return plan


def approve(api: Api, colleague: Api, plan: dict[str, Any], telling: Telling) -> None:
    """Nothing happens before somebody else has approved exactly this plan."""
    try:
        api.call("POST", f"/waste/plans/{plan['id']}/execute")
    except ApiFailed as refused:
        telling.say(f"executing it now: {refused.code}")
    vote = {"subject_hash": plan["plan_hash"]}
    decided = colleague.call("POST", f"/approvals/{plan['approval_id']}/approve", vote)
    telling.say(f"a colleague approves the plan with this hash: {decided['status']}")


def settle(api: Api, plan_id: str, verb: str, wanted: str, telling: Telling) -> None:
    """Execute or undo, and wait for the end."""
    api.call("POST", f"/waste/plans/{plan_id}/{verb}")
    ends = (wanted, *(one for one in SETTLED if one != "executed" or verb == "execute"))
    *_, plan = api.poll(f"/waste/plans/{plan_id}", lambda seen: seen["status"] in ends)
    telling.say(f"{verb}: the plan is {plan['status']}")
    if plan["status"] != wanted:
        problems = [item["error"] for item in plan["items"] if item["error"]]
        raise ApiFailed(f"the plan is {plan['status']}, not {wanted}: {problems}")


def compare(customer: Customer, before: dict[str, str], when: str, telling: Telling) -> None:
    """What the customer's own account says of the volumes."""
    telling.table(
        ["volume", "type before", when],
        [(_name(arn), kind, customer.volume_type_of(arn))
         for arn, kind in before.items()],
    )  # fmt: skip


def _name(arn: str) -> str:
    return arn.rpartition("/")[2].rpartition(":")[2]


def ledger(api: Api, telling: Telling) -> None:
    """What was saved, and what no longer counts."""
    entries = api.call("GET", "/waste/savings?page_size=100")["entries"]
    telling.say("the savings ledger:")
    telling.table(
        ["check", "estimated a month", "acted at", "undone at"],
        [
            (entry["check_id"], entry["estimated_monthly"], entry["acted_at"],
             entry["undone_at"] or "-")
            for entry in entries[:5]
        ],
    )  # fmt: skip
