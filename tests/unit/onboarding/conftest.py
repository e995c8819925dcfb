"""Onboarding's services on in-memory twins."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.probes import Prober
from tidegate.onboarding.service import NewRequest, Requests
from tidegate.onboarding.verification import Patience, Verifier
from tidegate_kit.clock import FixedClock
from tidegate_kit.settings import Settings

from tests.builders.settings import CUSTOMER_ACCOUNT, ENVIRONMENT
from tests.builders.settings import settings as make_settings
from tests.fakes.onboarding import (
    FakeCopies,
    FakeRole,
    FakeRoles,
    InMemoryRegistrations,
    InMemoryRegistry,
    OnboardingTable,
)

TENANT = "0a1b2c3d-0000-4000-8000-00000000000a"
PLATFORM_ROLE = ENVIRONMENT["ONBOARDING_ROLE_ARN"]


def _ids() -> Iterator[str]:
    for number in itertools.count(1):
        yield f"{number:08x}-0000-4000-8000-{number:012x}"


@dataclass
class Bench:
    """Twins, a clock that stands still, and roles without AWS."""

    table: OnboardingTable = field(default_factory=OnboardingTable)
    clock: FixedClock = field(default_factory=FixedClock)
    roles: FakeRoles = field(default_factory=lambda: FakeRoles(PLATFORM_ROLE))
    copies: FakeCopies = field(default_factory=FakeCopies)
    settings: Settings = field(default_factory=lambda: make_settings(Settings))
    waited: list[float] = field(default_factory=list)
    _ids: Iterator[str] = field(default_factory=_ids)

    def new_id(self) -> str:
        """The next id."""
        return next(self._ids)

    @property
    def store(self) -> InMemoryRegistrations:
        """The tenant's registrations."""
        return self.table.store_of(TENANT)

    @property
    def registry(self) -> InMemoryRegistry:
        """The global registry."""
        return InMemoryRegistry(self.table)

    def requests(self, tenant: str = TENANT) -> Requests:
        """A tenant's requests."""
        return Requests(
            self.table.store_of(tenant), self.copies, self.settings, self.clock, self.new_id
        )

    def verifier(self, tenant: str = TENANT) -> Verifier:
        """A tenant's verifier."""
        prober = Prober(self.roles.access, PLATFORM_ROLE, "us-east-1", self.new_id, self.clock)
        store = self.table.store_of(tenant)
        return Verifier(store, self.registry, prober, PLATFORM_ROLE, self.clock, self.new_id)

    def patience(self) -> Patience:
        """Four minutes on the bench's clock; waiting costs no time."""
        from tidegate.onboarding.callback import PATIENCE

        return Patience(PATIENCE, self.wait)

    def wait(self, seconds: float) -> None:
        """Move the clock."""
        self.waited.append(seconds)
        self.clock.advance(seconds=seconds)

    def request(self, tenant: str = TENANT, account: str = CUSTOMER_ACCOUNT) -> Registration:
        """A pending request."""
        made, _ = self.requests(tenant).create(
            tenant, "user-1", NewRequest(account, "read", (), None)
        )
        return made

    def deploy(self, made: Registration, trust: Any = None, *, readable: bool = True) -> str:
        """The role of a request (or one with another trust policy)."""
        arn = f"arn:aws:iam::{made.account_id}:role/{made.role_name}"
        good = {
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": PLATFORM_ROLE},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {"StringEquals": {"sts:ExternalId": made.external_id}},
            }
        }
        self.roles.roles[arn] = FakeRole(trust or good, readable)
        return arn

    def connected(self, tenant: str = TENANT, account: str = CUSTOMER_ACCOUNT) -> Registration:
        """A connected registration."""
        made = self.request(tenant, account)
        self.deploy(made)
        return self.verifier(tenant).verify(made.id, None, "user-1")

    def row(self, made: Registration) -> Registration:
        """What is stored now."""
        return self.table.rows[made.tenant_id, made.id]

    def put(self, made: Registration, **changes: Any) -> Registration:
        """Change what is stored."""
        stored = self.row(made)
        return self.table.store_of(made.tenant_id).swap(stored, replace(stored, **changes))


@pytest.fixture
def bench() -> Bench:
    return Bench()
