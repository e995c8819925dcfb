"""The second story: a workflow finds instances, asks a colleague, stops one and tells people."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from infra.demo.api import Api, ApiFailed
from infra.demo.customer import Customer
from infra.demo.telling import Telling

FINAL = ("completed", "failed", "cancelled", "timed_out")
TOLD_SECONDS = 60
Say = Callable[[str], None]


def definition(account_id: str) -> dict[str, Any]:
    """Asks before it stops the first running instance it is given; does nothing if there is none.

    ``running`` in the input is a list of {arn, region}.
    """
    some = {"left": "{{input.running}}", "op": "not_empty"}
    stop = {
        "account_id": account_id, "region": "{{input.running.0.region}}",
        "action": "ec2.stop_instance", "resource_arn": "{{input.running.0.arn}}",
    }  # fmt: skip
    told = "{{input.running.0.arn}} is {{nodes.stop.output.result.after}}"
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("start", "start", {}),
        ("any", "condition", {"condition": some}),
        ("ask", "approval", {"title": "Stop an idle instance?",
                             "description": "{{input.running.0.arn}}"}),
        ("stop", "aws_action", stop),
        ("tell", "notify", {"channel": "realtime", "title": "Stopped", "message": told}),
    ]  # fmt: skip
    ways = [("start", "any", None), ("any", "ask", "true"), ("ask", "stop", "true"),
            ("stop", "tell", None), ("any", "end", "false")]  # fmt: skip
    return {
        "nodes": [
            *({"id": name, "type": kind, "data": data} for name, kind, data in steps),
            {"id": "end", "type": "end", "data": {}},
        ],
        "edges": [
            {"id": f"{source}-{target}", "source": source, "target": target}
            | ({"sourceHandle": handle} if handle else {})
            for source, target, handle in ways
        ],
    }


def colleague_of(api: Api, email: str, password: str) -> Api:
    """Another member of the tenant who may decide: nobody approves what he asked for himself."""
    invited = api.call("POST", "/api/members/invitations", {"email": email, "roles": ["client"]})
    colleague = Api(api.base_url)
    colleague.call(
        "POST",
        "/api/auth/register",
        {
            "email": email, "password": password, "first_name": "Demo", "last_name": "Colleague",
            "company": "Demo shop", "invitation_token": invited["invitation_token"],
        },
    )  # fmt: skip
    colleague.login(email, password)
    return colleague


@contextmanager
def listening(api: Api, say: Say, wanted: set[str]) -> Iterator[threading.Event]:
    """Inside the block the tenant's WebSocket is printed; the event is set once `wanted` was heard.

    `wanted` names types of messages; an execution's update counts when it is the last.
    """
    ticket = api.call("POST", "/api/realtime/ticket", {"client_id": "demo"})
    told = threading.Event()
    with connect(ticket["ws_url"]) as socket:
        ear = threading.Thread(target=_listen, args=(socket, told, wanted, say))
        ear.start()
        try:
            yield told
        finally:
            socket.close()
            ear.join()


def _listen(socket: ClientConnection, told: threading.Event, wanted: set[str], say: Say) -> None:
    missing = set(wanted)
    try:
        for frame in socket:
            message = json.loads(frame)
            say(f"WebSocket: {summary(message)}")
            if message["data"].get("progress", 100) == 100:
                missing.discard(message["type"])
            if not missing:
                told.set()
    except ConnectionClosed:
        return


def summary(message: dict[str, Any]) -> str:
    """A message of contract part 3 in one line."""
    data = message["data"]
    if message["type"] == "workflow_execution_update":
        where = f" at {data['current_step']}" if data["current_step"] else ""
        return f"execution {data['status']}, {data['progress']} %{where}"
    if message["type"] == "system_alert":
        return f"{data['component']}: {data['message']}"
    return f"{message['type']} {json.dumps(data)[:100]}"


def stop_one(api: Api, colleague: Api, customer: Customer, telling: Telling) -> None:
    """Run the workflow to its end. Raises ApiFailed unless it completed and one more is stopped."""
    account = customer.cloud.customer_account
    made = api.call(
        "POST", "/api/workflows", {"name": "Stop idle instances", "definition": definition(account)}
    )
    telling.say("the graph (GET .../diagram):")
    for line in api.call("GET", f"/api/workflows/{made['id']}/diagram?format=mermaid").splitlines():
        telling.say("    " + line)
    found = api.call("GET", "/client/resources?type=ec2:instance&page_size=100")["resources"]
    running = [
        {"arn": one["arn"], "region": one["region"]} for one in found if one["state"] == "running"
    ]
    telling.say(f"found {len(running)} running instances of {len(found)}")
    wanted = {"workflow_execution_update", *(["system_alert"] if running else [])}
    with listening(api, telling.say, wanted) as told:
        started = api.call(
            "POST", f"/api/workflows/{made['id']}/execute", {"input_data": {"running": running}}
        )
        path = f"/api/workflows/executions/{started['execution_id']}"
        seen = _until(api, path, ("waiting", *FINAL))
        if seen["status"] == "waiting":
            _approve(api, colleague, telling.say)
            seen = _until(api, path, FINAL)
        if not told.wait(TOLD_SECONDS):
            raise ApiFailed(f"the execution is {seen['status']}, but the WebSocket did not say so")
    telling.table(
        ["step", "status", "output"],
        [(s["step_id"], s["status"], json.dumps(s.get("output"))[:90]) for s in seen["steps"]],
    )
    if seen["status"] != "completed":
        raise ApiFailed(f"the execution is {seen['status']}: {seen['error']}")
    stopped = [one["arn"] for one in running if customer.state_of(one["arn"]) != "running"]
    telling.say(f"in the customer's account now: {', '.join(stopped) or 'nothing'} stopped")


def _until(api: Api, path: str, statuses: tuple[str, ...]) -> dict[str, Any]:
    *_, seen = api.poll(path, lambda view: view["status"] in statuses)
    return dict(seen)


def _approve(api: Api, colleague: Api, say: Say) -> None:
    (asked,) = api.call("GET", "/api/approvals?status=pending")["approvals"]
    vote = {"subject_hash": asked["subject"]["hash"]}
    say(f"approval asked: {asked['title']} {asked['description']}")
    try:
        api.call("POST", f"/api/approvals/{asked['id']}/approve", vote)
    except ApiFailed as refused:
        say(f"the requester tries to approve it: {refused.code}")
    decided = colleague.call("POST", f"/api/approvals/{asked['id']}/approve", vote)
    say(f"a colleague approves: {decided['status']}")
