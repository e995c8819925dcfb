"""Data of one tenant for every route with an id, so that another tenant can try them (TEST-2).

A new id route needs an entry in `VICTIMS` (what its id names) and, where a request without body is
not valid, one in `BODIES`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tidegate.findings.domain import Group
from tidegate.pipelines.executions import new_execution
from tidegate.pipelines.repository import DynamoExecutions
from tidegate_kit.clock import iso, system_clock
from tidegate_kit.http.spec import RouteSpec
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import Seen, add_account, add_inventory
from tests.builders.api import ApiClient
from tests.builders.findings_store import stored_finding
from tests.builders.governance import FORBID
from tests.builders.lab import Lab, wave
from tests.builders.members import SignedIn
from tests.builders.plans import stored_plan
from tests.builders.workflows import chain, node

SCHEDULE = {"expression": "rate(1 day)"}
Make = Callable[[ApiClient, SignedIn], str]


def _invitation(client: ApiClient, owner: SignedIn) -> str:
    body = {"email": f"{new_id()}@example.com"}
    answer = client.post("/members/invitations", json=body, headers=owner.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _account(client: ApiClient, owner: SignedIn) -> str:
    made = add_account(owner.tenant_id, f"{uuid.uuid4().int % 10**12:012d}")
    add_inventory(made, Seen(["vm"]))
    return made.id


def _post(client: ApiClient, owner: SignedIn, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body, headers=owner.headers)
    assert answer.status_code in (200, 201, 202), answer.text
    made: dict[str, Any] = answer.json()
    return made


def _workflow(client: ApiClient, owner: SignedIn, *nodes: dict[str, Any]) -> str:
    body = {"name": "canary-workflow", "definition": chain(*(nodes or (node("a"),)))}
    return str(_post(client, owner, "/workflows", body)["id"])


def _scheduled(client: ApiClient, owner: SignedIn) -> str:
    workflow_id = _workflow(client, owner)
    answer = client.put(f"/workflows/{workflow_id}/schedule", json=SCHEDULE, headers=owner.headers)
    assert answer.status_code == 200, answer.text
    return workflow_id


def _execution(client: ApiClient, owner: SignedIn, *nodes: dict[str, Any]) -> str:
    workflow_id = _workflow(client, owner, *nodes)
    return str(_post(client, owner, f"/workflows/{workflow_id}/execute", {})["execution_id"])


def _log(client: ApiClient, owner: SignedIn) -> str:
    run = _execution(client, owner)
    return str(client.get(f"/logs/executions/{run}", headers=owner.headers).json()["logs"][0]["id"])


def _approval(client: ApiClient, owner: SignedIn) -> str:
    _execution(client, owner, node("ask", "approval", title="Stop it?"))
    listed = client.get("/approvals?status=pending", headers=owner.headers).json()
    return str(listed["approvals"][0]["id"])


def _template(client: ApiClient, owner: SignedIn) -> str:
    body = {"name": "canary-template", "category": "test", "definition": chain(node("a"))}
    return str(_post(client, owner, "/templates", body)["id"])


def _event(client: ApiClient, owner: SignedIn) -> str:
    body = {"title": "Meeting", "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:00:00Z"}
    return str(_post(client, owner, "/v1/calendar/events", body)["id"])


def _task(client: ApiClient, owner: SignedIn) -> str:
    return str(_post(client, owner, "/v1/calendar/tasks", {"title": "Task"})["id"])


def _target(client: ApiClient, owner: SignedIn) -> str:
    return str(_post(client, owner, "/user/communication-targets", {"name": "canary"})["id"])


def _integration(client: ApiClient, owner: SignedIn) -> str:
    body = {"account_id": "canary:1", "account_type": "social", "configuration": {}}
    return str(_post(client, owner, "/user/integrations/accounts", body)["account_id"])


def _webhook(client: ApiClient, owner: SignedIn) -> str:
    body = {"url": "https://canary.example.com/in"}
    return str(_post(client, owner, "/user/webhooks", body)["id"])


def _secret(client: ApiClient, owner: SignedIn) -> str:
    answer = client.put("/user/secrets/canary", json={"value": "x"}, headers=owner.headers)
    assert answer.status_code == 200, answer.text
    return "canary"


def _hook(client: ApiClient, owner: SignedIn) -> str:
    workflow_id = _workflow(client, owner)
    return str(_post(client, owner, f"/workflows/{workflow_id}/hooks", {})["hook_id"])


def _dataset(client: ApiClient, owner: SignedIn) -> str:
    return str(Lab(client, owner).dataset(wave(60), name="canary-dataset")["id"])


def _experiment(client: ApiClient, owner: SignedIn) -> str:
    return str(Lab(client, owner).experiment(_dataset(client, owner))["id"])


def _lab_run(client: ApiClient, owner: SignedIn) -> str:
    return str(Lab(client, owner).start(_experiment(client, owner))["id"])


def _model(client: ApiClient, owner: SignedIn) -> str:
    return str(Lab(client, owner).trained(wave(60))["model_id"])


def _prediction(client: ApiClient, owner: SignedIn) -> str:
    return str(_post(client, owner, f"/lab/models/{_model(client, owner)}/predictions", {})["id"])


def _policy(client: ApiClient, owner: SignedIn) -> str:
    body = {"name": "canary-policy", "text": FORBID}
    return str(_post(client, owner, "/governance/policies", body)["id"])


def _plan(client: ApiClient, owner: SignedIn) -> str:
    return stored_plan(TenantScope(owner.tenant_id), owner.user_id).id


def _finding(owner: SignedIn, group: Group) -> str:
    return stored_finding(owner.tenant_id, group).id


def _exception(client: ApiClient, owner: SignedIn) -> str:
    body = {
        "finding_id": _finding(owner, "waste"),
        "owner": "canary-owner",
        "reason": "canary-reason",
        "expires_at": iso(system_clock() + timedelta(days=30)),
    }
    return str(_post(client, owner, "/waste/exceptions", body)["id"])


def _pipeline_execution(client: ApiClient, owner: SignedIn) -> str:
    scope = TenantScope(owner.tenant_id)
    now = system_clock()
    wanted = new_execution(new_id(), owner.tenant_id, "model-retrain", "api", {}, now)
    return DynamoExecutions(scope).begin(wanted, now).id


# The path up to its first id -> what that id names. The longest fitting entry counts.
VICTIMS: dict[str, Make] = {
    "/pipelines/": lambda client, owner: "model-retrain",
    "/pipelines/executions/": _pipeline_execution,
    "/auth/sessions/": lambda client, owner: owner.session_id,
    "/members/": lambda client, owner: owner.user_id,
    "/members/invitations/": _invitation,
    "/client/accounts/": _account,
    "/onboarding/": _account,
    "/onboarding/template/": _account,
    "/workflows/": _scheduled,
    "/workflows/executions/": _execution,
    "/logs/": _log,
    "/logs/executions/": _execution,
    "/approvals/": _approval,
    "/governance/policies/": _policy,
    "/templates/": _template,
    "/waste/plans/": _plan,
    "/waste/findings/": lambda client, owner: _finding(owner, "waste"),
    "/storage/findings/": lambda client, owner: _finding(owner, "storage"),
    "/waste/exceptions/": _exception,
    "/v1/calendar/events/": _event,
    "/v1/calendar/tasks/": _task,
    "/user/communication-targets/": _target,
    "/user/integrations/accounts/": _integration,
    "/user/secrets/": _secret,
    "/user/webhooks/": _webhook,
    "/hooks/": _hook,
    "/lab/datasets/": _dataset,
    "/lab/experiments/": _experiment,
    "/lab/runs/": _lab_run,
    "/lab/models/": _model,
    "/lab/predictions/": _prediction,
}
# Whoever puts a name makes his own: there is nothing of another to find.
# The pipelines' names are everybody's.
CREATES = frozenset(
    {
        "PUT /user/secrets/{name}",
        "GET /pipelines/{name}",
        "GET /pipelines/{name}/executions",
        "POST /pipelines/{name}/run",
        "PUT /pipelines/{name}/schedule",
    }
)
# A valid request of each route that needs one: JSON body, or query parameters.
BODIES: dict[str, Any] = {
    "PATCH /members/{user_id}": {"roles": ["user"]},
    "PUT /workflows/{workflow_id}": {"name": "taken"},
    "POST /workflows/{workflow_id}/rollback": {"version": 1},
    "PUT /workflows/{workflow_id}/schedule": SCHEDULE,
    "POST /approvals/{approval_id}/approve": {"subject_hash": "0"},
    "POST /approvals/{approval_id}/reject": {"subject_hash": "0", "comment": "no"},
    "PUT /governance/policies/{policy_id}": {"name": "taken"},
    "PUT /templates/{template_id}": {"name": "taken"},
    "POST /templates/{template_id}/instantiate": {"name": "taken"},
    "PUT /v1/calendar/events/{event_id}": {"title": "taken"},
    "PUT /v1/calendar/tasks/{task_id}": {"title": "taken"},
    "PUT /user/communication-targets/{target_id}": {"name": "taken"},
    "PUT /user/secrets/{name}": {"value": "taken"},
    "PATCH /user/webhooks/{webhook_id}": {"enabled": False},
    "POST /lab/experiments/{experiment_id}/runs": {"model_type": "ridge"},
}
QUERIES: dict[str, str] = {"GET /workflows/{workflow_id}/diff": "from=1&to=1"}
# Second and further parameters of a path.
# A name is one of a secret or of a pipeline; the former begins with a letter.
OTHERS: dict[str, str] = {"version": "1", "name": "nobodys"}


@dataclass
class Victim:
    """A tenant's owner and the ids of what is his, made once each."""

    client: ApiClient
    owner: SignedIn
    made: dict[str, str]

    def id_for(self, spec: RouteSpec) -> str | None:
        """The id of the victim's own thing that a route takes; None where no builder is listed."""
        prefix = spec.path.partition("{")[0]
        if prefix not in VICTIMS:
            return None
        if prefix not in self.made:
            self.made[prefix] = VICTIMS[prefix](self.client, self.owner)
        return self.made[prefix]


def path_with(spec: RouteSpec, first: str) -> str:
    """The route's path with `first` as its first parameter, and its query."""
    parts = []
    for part in spec.path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            parts.append(first if first else OTHERS.get(name, new_id()))
            first = ""
        else:
            parts.append(part)
    query = QUERIES.get(spec.name)
    return "/".join(parts) + (f"?{query}" if query else "")
