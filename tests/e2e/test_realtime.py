"""WebSocket end to end: tickets, tenants apart, replay, logout (contract part 3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import websockets
from tidegate.realtime.public import publish
from tidegate_kit import dynamo
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.e2e.conftest import Owner, RunningCloud

SECONDS = 30


@contextmanager
def platform_tables(cloud: RunningCloud) -> Iterator[None]:
    """The deployed tables, so that a test can commit an event as a domain's consumer does."""
    store = dynamo.Store(
        "tidegate-local",
        cloud.config.region,
        credentials=(cloud.config.platform_account, "local", ""),
    )
    store.connection.host = cloud.config.aws_endpoint
    dynamo.configure_store(store)
    try:
        yield
    finally:
        dynamo.configure_store(None)


def tell(cloud: RunningCloud, owner: Owner, text: str) -> None:
    with platform_tables(cloud):
        publish(
            TenantScope(owner.profile["tenant_id"]), "system_alert", {"message": text},
            source_id=new_id(), now=system_clock(),
        )  # fmt: skip


def ticket(owner: Owner, client_id: str) -> dict[str, Any]:
    answer = owner.http.post("/api/realtime/ticket", json={"client_id": client_id})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def events(socket: Any, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(SECONDS):
        while len(found) < count:
            frame = json.loads(await socket.recv())
            if frame["type"] != "control":
                found.append(frame)
    return found


async def pong(socket: Any) -> list[dict[str, Any]]:
    """Everything that came before the answer to a ping."""
    await socket.send('{"action":"ping"}')
    before = []
    async with asyncio.timeout(SECONDS):
        while (frame := json.loads(await socket.recv()))["type"] != "control":
            before.append(frame)
    assert frame["data"] == {"action": "ping", "ok": True}
    return before


def test_canaries_of_two_tenants_never_cross(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    own, other = new_owner(), new_owner()

    async def run() -> None:
        async with (
            websockets.connect(ticket(own, "web")["ws_url"]) as mine,
            websockets.connect(ticket(other, "web")["ws_url"]) as theirs,
        ):
            await asyncio.to_thread(tell, cloud, own, "canary")
            (got,) = await events(mine, 1)
            assert got["data"] == {"message": "canary"}
            assert await pong(theirs) == []

    asyncio.run(run())


def test_reconnecting_with_since_gives_every_event_once_and_in_order(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner = new_owner()

    async def run() -> None:
        async with websockets.connect(ticket(owner, "web")["ws_url"]) as socket:
            await asyncio.to_thread(tell, cloud, owner, "1")
            (first,) = await events(socket, 1)
        for text in ("2", "3"):
            await asyncio.to_thread(tell, cloud, owner, text)
        url = ticket(owner, "web")["ws_url"] + f"&since={first['sequence']}"
        async with websockets.connect(url) as socket:
            await asyncio.to_thread(tell, cloud, owner, "4")
            got = await events(socket, 3)
            assert await pong(socket) == []
        assert [event["data"]["message"] for event in got] == ["2", "3", "4"]
        assert [event["sequence"] for event in got] == [2, 3, 4]

    asyncio.run(run())


@pytest.mark.parametrize("path", ["ws", "path"])
def test_a_token_opens_a_socket_on_both_urls_and_nonsense_none(
    cloud: RunningCloud, new_owner: Callable[[], Owner], path: str
) -> None:
    owner = new_owner()
    token = owner.http.headers["authorization"].removeprefix("Bearer ")
    base = cloud.config.ws_url

    def url(value: str) -> str:
        return (
            f"{base}/web?token={value}"
            if path == "path"
            else (f"{base}?client_id=web&token={value}")
        )

    async def run() -> None:
        async with websockets.connect(url(token)) as socket:
            assert await pong(socket) == []
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with websockets.connect(url("a.b.c")):
                pass
        assert refused.value.response.status_code in (401, 403)

    asyncio.run(run())


def test_a_ticket_opens_one_socket(cloud: RunningCloud, new_owner: Callable[[], Owner]) -> None:
    made = ticket(new_owner(), "web")

    async def run() -> None:
        async with websockets.connect(made["ws_url"]) as socket:
            assert await pong(socket) == []
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with websockets.connect(made["ws_url"]):
                pass
        assert refused.value.response.status_code in (401, 403)

    asyncio.run(run())
