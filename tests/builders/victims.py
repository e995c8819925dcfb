"""Data of one tenant for every route with an id, so that another tenant can try them (TEST-2).

A new id route needs an entry in `VICTIMS` (what its id names) and, where a request without body is
not valid, one in `BODIES`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tidegate_kit.http.spec import RouteSpec
from tidegate_kit.ids import new_id

from tests.builders.accounts import Seen, add_account, add_inventory
from tests.builders.api import ApiClient
from tests.builders.members import SignedIn

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


def _workflow(client: ApiClient, owner: SignedIn) -> str:
    body = {
        "name": "canary-workflow",
        "definition": {"nodes": [{"id": "start", "type": "start", "data": {}}], "edges": []},
    }
    answer = client.post("/workflows", json=body, headers=owner.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


# The path up to its first id -> what that id names. The longest fitting entry counts.
VICTIMS: dict[str, Make] = {
    "/auth/sessions/": lambda client, owner: owner.session_id,
    "/members/": lambda client, owner: owner.user_id,
    "/members/invitations/": _invitation,
    "/client/accounts/": _account,
    "/onboarding/": _account,
    "/onboarding/template/": _account,
    "/workflows/": _workflow,
}
# A valid request of each route that needs one: JSON body, or query parameters.
BODIES: dict[str, Any] = {
    "PATCH /members/{user_id}": {"roles": ["user"]},
    "PUT /workflows/{workflow_id}": {"name": "taken"},
    "POST /workflows/{workflow_id}/rollback": {"version": 1},
}
QUERIES: dict[str, str] = {"GET /workflows/{workflow_id}/diff": "from=1&to=1"}
# Second and further parameters of a path.
OTHERS: dict[str, str] = {"version": "1"}


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
