"""What the workflows stream makes people hear (RT-4)."""

from __future__ import annotations

import pynamodb.models
from tidegate.realtime.repository.events import DynamoEvents
from tidegate.realtime.service.feed import Feed
from tidegate.workflows.domain import LogEntry
from tidegate.workflows.repository.logs import log_item
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope


def line(scope: TenantScope, **data: object) -> pynamodb.models.Model:
    return log_item(
        scope,
        LogEntry(
            id=new_id(), timestamp=system_clock(), level="info", workflow_id=new_id(),
            execution_id=new_id(), message="said", step_id="tell", data=data, request_id=None,
        ),
    )  # fmt: skip


def record(item: pynamodb.models.Model) -> dict[str, object]:
    image = item.serialize()
    keys = {name: image[name] for name in ("pk", "sk")}
    return {
        "eventID": new_id(), "eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": image},
    }  # fmt: skip


def test_a_notify_node_is_heard_once(platform: Settings) -> None:
    """RT-4: a notice in the log becomes one system_alert, however often the stream brings it."""
    scope = TenantScope(new_id())
    feed = Feed(lambda *_: None, DynamoEvents, system_clock)
    notice = {"title": "Stopped", "message": "i-1 is stopping", "severity": "warning"}
    said = record(line(scope, notice=notice))
    for change in (said, record(line(scope, other=1)), said):
        feed.tell(change)
    (event,) = DynamoEvents(scope).after(0, 10, system_clock())
    assert (event.type, event.data) == (
        "system_alert",
        {
            "severity": "warning", "component": "workflow", "status": "notice",
            "message": "Stopped: i-1 is stopping",
        },
    )  # fmt: skip
