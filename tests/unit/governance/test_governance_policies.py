"""The policies of one tenant (GOV-2)."""

from __future__ import annotations

from tidegate.governance.domain import Policy
from tidegate.governance.service.policies import PolicyService
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id

from tests.fakes.governance import MemoryPolicies


class Overtaken(MemoryPolicies):
    """A store in which somebody else begins just after the first reading."""

    readings = 0

    def all(self) -> list[Policy]:
        self.readings += 1
        found = super().all()
        if self.readings == 1:
            service(self).all()
        return found


def service(store: MemoryPolicies) -> PolicyService:
    return PolicyService("tenant", store, lambda user_id: True, system_clock, new_id)


def test_gov_2_whoever_comes_while_the_first_policies_are_made_reads_them() -> None:
    """GOV-2: without them the first of several acts of a new tenant would be denied."""
    assert len(service(Overtaken()).all()) == 2


def test_a_tenant_that_deleted_its_policies_has_none() -> None:
    """The first policies come once."""
    store = MemoryPolicies()
    for policy in service(store).all():
        service(store).delete(policy.id, "ada")
    assert service(store).all() == []
