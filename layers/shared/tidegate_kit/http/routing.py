"""Route declarations: each says its permission, rate class and the rest of its row (GEN-2)."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from fastapi import APIRouter

from tidegate_kit.auth.permissions import ALL_PERMISSIONS, ANY_USER, PUBLIC
from tidegate_kit.errors import ApiError
from tidegate_kit.http.blocking import run_blocking
from tidegate_kit.http.route import GuardedRoute
from tidegate_kit.http.spec import RouteSpec
from tidegate_kit.ratelimit import RateClass

F = TypeVar("F", bound=Callable[..., Any])
BodyKind = Literal["json", "form", "calendar", "raw", "none"]


@dataclass(frozen=True)
class Declared:
    """A route as declared: its specification and its endpoint."""

    spec: RouteSpec
    endpoint: Callable[..., Any]


class Router:
    """Collects the routes of one domain.

    Paths have no /api prefix: the edge strips one, so both spellings are one route (GEN-4).
    """

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.declared: list[Declared] = []
        self.api = APIRouter(route_class=GuardedRoute)

    @property
    def specs(self) -> list[RouteSpec]:
        """Every declared route."""
        return [declared.spec for declared in self.declared]

    def get(self, path: str, **options: Any) -> Callable[[F], F]:
        """Declare a GET route; options as `route`."""
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[F], F]:
        """Declare a POST route; options as `route`."""
        return self.route("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[F], F]:
        """Declare a PUT route; options as `route`."""
        return self.route("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[F], F]:
        """Declare a PATCH route; options as `route`."""
        return self.route("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[F], F]:
        """Declare a DELETE route; options as `route`."""
        return self.route("DELETE", path, **options)

    def route(
        self,
        method: str,
        path: str,
        *,
        permission: str,
        status: int = 200,
        rate: RateClass = "D",
        errors: Sequence[type[ApiError]] = (),
        idempotent: bool = False,
        access_code: bool = False,
        secret: bool = False,
        csrf_with_cookie: bool = False,
        outlives_store: bool = False,
        max_body: int = 1024 * 1024,
        body: BodyKind = "json",
        summary: str | None = None,
        **fastapi_options: Any,
    ) -> Callable[[F], F]:
        """Declare a route.

        permission: PUBLIC, ANY_USER or a permission name; no default, so none is forgotten.
        idempotent: a POST that creates or starts something keeps answers by Idempotency-Key.
        secret: the answer holds a token, so it is sent with Cache-Control: no-store.
        body: what a body must be. "json" and "form" are parsed and validated by the endpoint's
        request model (form fields are text); "calendar" and "raw" (any media type) are read from
        `call.body`; "none" ignores one.
        outlives_store: a public route that answers, uncounted, while the counters' store is down.
        Raises ValueError for an unknown permission or a repeated (method, path).
        """
        if permission not in ALL_PERMISSIONS and permission not in (PUBLIC, ANY_USER):
            raise ValueError(f"{method} {path}: unknown permission {permission!r}")
        if path.startswith("/api/") or (path != "/" and path.endswith("/")):
            raise ValueError(f"{method} {path}: declare paths without /api and trailing slash")
        spec = RouteSpec(
            domain=self.domain, method=method, path=path, permission=permission, status=status,
            rate=rate, idempotent=idempotent, access_code=access_code, secret=secret,
            csrf_with_cookie=csrf_with_cookie, max_body=max_body, body=body,
            outlives_store=outlives_store, errors=tuple(errors),
        )  # fmt: skip
        if any(spec.clashes(other) for other in self.specs):
            raise ValueError(f"{method} {path} is declared twice in {self.domain}")

        def declare(endpoint: F) -> F:
            if inspect.iscoroutinefunction(endpoint):
                raise TypeError(f"{method} {path}: endpoints are plain def (GEN-6)")
            self.declared.append(Declared(spec, endpoint))
            self.api.add_api_route(
                path,
                _offloaded(endpoint, spec),
                methods=[method],
                status_code=status,
                summary=summary or spec.title(endpoint.__name__),
                operation_id=endpoint.__name__,
                tags=[self.domain],
                description=inspect.getdoc(endpoint),
                **fastapi_options,
            )
            return endpoint

        return declare


def _offloaded(endpoint: Callable[..., Any], spec: RouteSpec) -> Callable[..., Any]:
    """An async endpoint around a plain one; see `blocking`."""

    @functools.wraps(endpoint)
    async def run(**arguments: Any) -> Any:
        return await run_blocking(endpoint, **arguments)

    run.__tidegate_spec__ = spec  # type: ignore[attr-defined]
    return run
