"""`make demo`: a customer account is connected, attacked, discovered and cleaned up."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from typing import Any

from infra.demo.api import Api, ApiFailed
from infra.demo.cleanup import clean_up
from infra.demo.customer import Customer, StackFailed
from infra.demo.telling import Telling
from infra.demo.workflow import colleague_of, stop_one
from infra.local import cloud as local
from infra.local.config import LocalCloud, LocalCloudError, from_environment


def connect(api: Api, customer: Customer, telling: Telling) -> str:
    """Create the connection, deploy the customer's stack, show what was probed. Gives the id."""
    request = api.call(
        "POST",
        "/onboarding/create",
        {"account_id": customer.cloud.customer_account, "tier": "remediate",
         "regions": ["us-east-1", "eu-west-1"], "label": "Demo shop"},
    )  # fmt: skip
    telling.say(f"External ID {request['external_id']}, role {request['role_name']}")
    telling.say("a person would open: " + request["quick_create_url"][:100] + "...")
    path = request["template_url"].partition("/onboarding/")[2]
    template = api.call("GET", f"/onboarding/{path}")
    customer.create_stack(f"tidegate-access-{request['id'][:8]}", template, telling.say)
    account = api.call("GET", f"/onboarding/{request['id']}")
    telling.say(f"the stack's call-back reported in: the account is {account['status']}")
    telling.table(
        ["probe", "outcome", "detail"],
        [(c["name"], c["outcome"], c["detail"][:90]) for c in account["checks"]],
    )
    return str(request["id"])


def discover(api: Api, onboarding_id: str, telling: Telling) -> None:
    """Watch a discovery to its end, then say what was found and what could not be read."""
    ended = ("completed", "completed_with_gaps", "failed")
    run: dict[str, Any] = {}
    for run in api.poll(
        f"/onboarding/{onboarding_id}/discovery", lambda view: view["status"] in ended
    ):
        telling.progress(run["progress"], f"{run['resources_found']} resources, {run['status']}")
    gaps = []
    for region in run["regions"]:
        for unit in region["services"]:
            if unit["status"] != "ok":
                why = ", ".join(unit["missing_actions"]) or unit.get("reason") or ""
                gaps.append((region["region"], unit["service"], unit["status"], why[:90]))
    telling.say(f"{run['resources_found']} resources, status {run['status']}")
    if gaps:
        telling.say("could not be read (and is therefore unknown, not empty):")
        telling.table(["region", "service", "status", "why"], gaps)
    else:
        telling.say("everything that was asked could be read")


def lose_permissions(api: Api, customer: Customer, onboarding_id: str, telling: Telling) -> None:
    """The customer takes permissions away; the next discovery must say so, not show nothing."""
    role = f"TidegateAccess-{onboarding_id[:8]}"
    actions = ["logs:DescribeLogGroups", "s3:GetLifecycleConfiguration"]
    telling.say(f"the customer's administrator denies {' and '.join(actions)}")
    with customer.denying(role, actions):
        api.call("POST", f"/onboarding/{onboarding_id}/rediscover", {"services": ["logs", "s3"]})
        discover(api, onboarding_id, telling)


def show(api: Api, telling: Telling) -> None:
    """The dashboard, as the API gives it."""
    board = api.call("GET", "/client/dashboard")
    telling.table(
        ["type", "count"],
        [(kind["type"], kind["count"]) for kind in board["resources"]["by_type"]],
    )
    accounts = board["accounts"]
    telling.say(f"accounts: {accounts['connected']} connected of {accounts['total']}")
    savings = board["savings"]
    telling.say(
        f"savings: {savings['identified_monthly']} USD a month identified, "
        f"{savings['realised_to_date']} realised; open findings: {board['findings']['open']}"
    )
    telling.say(f"health: {api.call('GET', '/health')['status']}")


def forget_earlier_connection(customer: Customer, state: dict[str, Any]) -> None:
    """An account can be connected once; disconnect what an earlier demo left."""
    if not state:
        return
    api = Api(customer.cloud.api_url)
    try:
        api.login(state["email"], state["password"])
        api.call("DELETE", f"/client/accounts/{state['id']}")
    except ApiFailed as refused:
        # A reset cloud knows neither the owner (401) nor the account (404).
        if refused.status not in (401, 404):
            raise
    customer.delete_stack(f"tidegate-access-{state['id'][:8]}")


def run(cloud: LocalCloud, telling: Telling) -> None:
    """The whole story."""
    with telling.act("1. Start the local cloud and deploy template.yaml to it"):
        local.up(cloud)
    customer, api = Customer(cloud), Api(cloud.api_url)
    memory = cloud.home / "demo.json"
    state = json.loads(memory.read_text()) if memory.exists() else {}
    with telling.act("2. A customer account full of real-looking waste"):
        forget_earlier_connection(customer, state)
        customer.fill(telling.say)
    with telling.act("3. Sign up"):
        email, password = f"owner-{int(time.time())}@example.com", secrets.token_urlsafe(16)
        api.register_and_login(email, password, "Demo shop")
        telling.say(f"owner {email}")
    with telling.act("4. Connect the account through its CloudFormation stack, and attack it"):
        onboarding_id = connect(api, customer, telling)
        memory.write_text(json.dumps({"id": onboarding_id, "email": email, "password": password}))
    with telling.act("5. Discover what is in it"):
        discover(api, onboarding_id, telling)
    with telling.act("6. What if the role may read less than it should?"):
        lose_permissions(api, customer, onboarding_id, telling)
    with telling.act("7. A workflow finds instances, asks a colleague, stops one and tells"):
        colleague = colleague_of(api, f"colleague-{email}", secrets.token_urlsafe(16))
        stop_one(api, colleague, customer, telling)
    with telling.act("8. What the waste costs; a plan, an approval, the clean-up and its undo"):
        clean_up(api, colleague, customer, telling)
    with telling.act("9. The dashboard"):
        show(api, telling)


def main() -> int:
    """Run the demo; 0 when every act ended well."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--exit", action="store_true", help="stop the local cloud at the end")
    chosen = parser.parse_args()
    cloud, telling = from_environment(), Telling()
    try:
        run(cloud, telling)
    except (LocalCloudError, ApiFailed, StackFailed) as error:
        print(f"\nthe demo stopped: {error}", file=sys.stderr)
        print("what the functions logged: .local/logs/*.log", file=sys.stderr)
        return 1
    finally:
        telling.times()
        if chosen.exit:
            local.down(cloud)
    if not chosen.exit:
        telling.say(f"\n  the platform is up: {cloud.api_url} (docs at {cloud.api_url}/docs)")
        telling.say("next: open the docs, or 'make down' to stop it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
