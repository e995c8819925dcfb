"""The row of a route in the manifest (GEN-2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tidegate_kit.auth.permissions import PUBLIC

_PARAMETER = re.compile(r"\{[^}]+\}")
STATE_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class RouteSpec:
    """One declared route. `path` is without /api; `max_body` in bytes."""

    domain: str
    method: str
    path: str
    permission: str
    status: int
    rate: str
    idempotent: bool
    access_code: bool
    secret: bool
    csrf_with_cookie: bool
    max_body: int
    body: str
    outlives_store: bool = False
    errors: tuple[type[Any], ...] = ()

    @property
    def name(self) -> str:
        """`METHOD /path`, unique in the manifest."""
        return f"{self.method} {self.path}"

    @property
    def public(self) -> bool:
        """True for routes anyone may call (GEN-15)."""
        return self.permission == PUBLIC

    @property
    def state_changing(self) -> bool:
        """True where CSRF matters (AUTH-12)."""
        return self.method in STATE_CHANGING

    @property
    def shape(self) -> str:
        """The path with its parameters blanked."""
        return _PARAMETER.sub("{}", self.path)

    def clashes(self, other: RouteSpec) -> bool:
        """True if both would answer the same (method, path) (IMP-16)."""
        return self.method == other.method and self.shape == other.shape

    @staticmethod
    def title(function_name: str) -> str:
        """A summary for OpenAPI from the endpoint's name."""
        return function_name.replace("_", " ").capitalize()
