"""An in-process client of one or more domains' routers, through the whole edge and guard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.http import Router
from tidegate_kit.http.app import build_app, build_platform
from tidegate_kit.settings import Settings


class ApiClient:
    """Synchronous calls into the ASGI app: `client.get("/x", headers=member.headers)`."""

    def __init__(
        self,
        routers: Sequence[Router],
        settings: Settings,
        clock: Clock = system_clock,
        client_ip: str = "203.0.113.7",
    ) -> None:
        self.app = build_app(routers, build_platform(settings, clock))
        self.client_ip = client_ip

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One call; a client IP may be given as `client_ip`."""
        ip = options.pop("client_ip", self.client_ip)

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(ip, 1))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:8000"
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(call())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        """PUT."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> httpx.Response:
        """PATCH."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        """DELETE."""
        return self.request("DELETE", path, **options)
