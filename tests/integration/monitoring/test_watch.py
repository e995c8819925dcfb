"""Health changes and minutes are told once, to whoever is connected (RT-4, EVT-6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from tidegate.monitoring import tasks, wiring
from tidegate.monitoring.repository.alerts import GlobalAlerts
from tidegate.monitoring.service.certificate import check
from tidegate.monitoring.service.health import HealthReport, Probe
from tidegate.monitoring.service.watch import Watch
from tidegate.realtime import public as realtime
from tidegate.realtime import tasks as sockets
from tidegate.realtime.domain import EVENT_TYPES, Connection
from tidegate.realtime.repository.connections import DynamoConnections
from tidegate.realtime.repository.events import DynamoEvents
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import sign_in
from tests.builders.settings import REGION

GOOD, BAD = Probe(None, 1.0), Probe("does not answer, or refuses", 2.0)


def report(**changes: Probe) -> HealthReport:
    probes = {"database": GOOD, "cache": GOOD, "queue": GOOD, **changes}
    return HealthReport(**probes, warnings=(), configuration_issues=())


@pytest.fixture
def connected(platform: Settings) -> TenantScope:
    """A tenant with two open sockets; another has none."""
    sign_in()
    member, now = sign_in(), system_clock()
    scope = TenantScope(member.tenant_id)
    for number in range(2):
        DynamoConnections(scope).add(
            Connection(
                f"c{number}", scope.tenant_id, member.user_id, f"client{number}",
                member.session_id, EVENT_TYPES, 0, 0, False, now,
            )
        )  # fmt: skip
    return scope


@pytest.fixture
def environment_of_tasks(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    url = str(boto3.client("sqs", region_name=REGION).create_queue(QueueName="dead")["QueueUrl"])
    monkeypatch.setenv("EVENTS_DEAD_LETTER_URL", url)
    monkeypatch.setenv("WS_CALLBACK_URL", "http://127.0.0.1:9")
    settings_of.cache_clear()
    yield
    wiring._health_service.cache_clear()


def events(scope: TenantScope) -> list[tuple[str, Any]]:
    return [(one.type, one.data) for one in DynamoEvents(scope).after(0, 100, system_clock())]


@pytest.mark.hazard("H2")
@pytest.mark.bite("tidegate.monitoring.repository.alerts.GlobalAlerts.health", returns=None)
def test_a_change_of_health_is_told_once(connected: TenantScope) -> None:
    """H2: the first look tells nothing; each change is told once, however often one looks."""
    now = system_clock()
    watch = wiring.watch()
    looked = [
        watch.look(state, now)
        for state in (
            report(), report(), report(queue=BAD), report(queue=BAD), report(database=BAD),
            report(), report(),
        )
    ]  # fmt: skip
    assert looked == [False, False, True, False, True, True, False]
    told = [data for kind, data in events(connected) if kind == "system_alert"]
    assert [one["status"] for one in told] == ["degraded", "unhealthy", "healthy"]
    assert [one["severity"] for one in told] == ["warning", "critical", "info"]
    assert set(told[0]) == {"severity", "component", "status", "message"}
    assert GlobalAlerts().all() == []


def test_a_change_that_was_not_told_to_its_end_is_told_again(connected: TenantScope) -> None:
    now = system_clock()
    wiring.watch().look(report(), now)

    def dies(*_: Any) -> None:
        raise ServiceUnavailable(log="killed")

    with pytest.raises(ServiceUnavailable):
        Watch(GlobalAlerts(), realtime.connected_tenants, dies).look(report(queue=BAD), now)
    assert events(connected) == []
    assert wiring.watch().look(report(queue=BAD), now)
    assert len(events(connected)) == 1
    (alert,) = GlobalAlerts().all()
    assert (alert.name, alert.severity) == ("health", "warning")


def test_the_minute_tells_numbers_to_connected_tenants_alone(
    connected: TenantScope, environment_of_tasks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FixedClock()
    monkeypatch.setattr(sockets, "system_clock", clock)
    assert sockets.broadcast({}, None) == {"told": 1, "failed": 0}
    assert sockets.broadcast({}, None) == {"told": 0, "failed": 0}  # the schedule ticked twice
    clock.advance(minutes=1)
    assert sockets.broadcast({}, None) == {"told": 1, "failed": 0}
    rows = DynamoEvents(connected).after(0, 10, clock())
    assert [row.type for row in rows] == ["metrics_update"] * 2
    assert set(rows[0].data) == {"application", "workflows", "ai_usage"}


def test_the_minute_looks_at_health_and_keeps_its_figures(
    connected: TenantScope, environment_of_tasks: None
) -> None:
    assert tasks.check_health({}, None) == {"status": "healthy", "changed": False}
    assert tasks.check_health({"tidegate_ping": True}, None) == {"pong": True}
    probes = wiring.platform_metrics().total("probe")
    assert (probes.count, probes.failed) == (3, 0)
    assert tasks.check_certificate({}, None) == {"expires_at": None, "days_left": None}


@pytest.mark.parametrize(
    ("days", "severity"), [(22, None), (21, "warning"), (6, "critical"), (-1, "critical")]
)
def test_a_certificate_is_warned_of_in_time(
    platform: Settings, days: int, severity: str | None
) -> None:
    now = system_clock()

    class Shown:
        def ends(self) -> Any:
            return now + timedelta(days=days, hours=1)

    check(Shown(), GlobalAlerts(), now)
    assert [one.severity for one in GlobalAlerts().all()] == ([severity] if severity else [])
