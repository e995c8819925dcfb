"""What validation must know of the tenant."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ValidationContext:
    """None leaves a check out (a definition validated outside a tenant).

    `secrets` and `accounts` hold the names of the tenant's secrets and integration accounts.
    `callees` gives the ids of the workflows that a workflow calls, None for one that does not
    exist; `workflow_id` is the workflow being saved.
    """

    secrets: Container[str] | None = None
    accounts: Container[str] | None = None
    workflow_id: str | None = None
    callees: Callable[[str], Iterable[str] | None] | None = None
