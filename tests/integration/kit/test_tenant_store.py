"""Tenant data opens only with the tenant's own keys (GEN-16), by the role of template.yaml."""

from __future__ import annotations

from typing import Any

import pytest
from tidegate_kit.auth.models import TenantItem
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import batch_get, scoped_store, store_errors
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import Settings
from tidegate_kit.tenant_store import TenantStores

from tests.builders.members import sign_in
from tests.conftest import ROOT
from tests.fakes.cloudformation import Resolver, load_template
from tests.fakes.strict_aws.layer import StrictAws


@pytest.fixture
def stores(platform: Settings, strict_aws: StrictAws) -> TenantStores:
    template = load_template(ROOT / "template.yaml")
    role: dict[str, Any] = template["Resources"]["TenantDataRole"]["Properties"]
    resolver = Resolver(
        template, {"Stage": "test"}, attributes={"DataKey.Arn": platform.kms_key_arn}
    )
    policies = {
        policy["PolicyName"]: resolver.resolve(policy["PolicyDocument"])
        for policy in role["Policies"]
    }
    trust = resolver.resolve(role["AssumeRolePolicyDocument"])
    arn = strict_aws.platform.create_role("tenant-data", trust, policies)
    return TenantStores(platform, arn, system_clock)


def test_the_own_tenants_rows_are_readable(stores: TenantStores) -> None:
    own = sign_in()
    with scoped_store(stores.store(own.tenant_id)):
        (found,) = batch_get([(TenantItem, f"T#{own.tenant_id}", "TENANT")])
    assert found is not None
    assert found.id == own.tenant_id


def test_another_tenants_rows_are_refused_by_the_store_itself(stores: TenantStores) -> None:
    own, foreign = sign_in(), sign_in()
    with scoped_store(stores.store(own.tenant_id)):
        with pytest.raises(ServiceUnavailable) as refused, store_errors():
            list(TenantItem.query(f"T#{foreign.tenant_id}"))
        assert "AccessDenied" in refused.value.log
        with pytest.raises(ServiceUnavailable):
            batch_get([(TenantItem, f"T#{foreign.tenant_id}", "TENANT")])


def test_without_the_scope_the_same_query_would_succeed(stores: TenantStores) -> None:
    """The refusal above comes from the credentials, not from the query."""
    foreign = sign_in()
    assert [
        item.id for item in TenantItem.query(f"T#{foreign.tenant_id}", TenantItem.sk == "TENANT")
    ]


def test_a_session_is_kept_per_tenant(stores: TenantStores) -> None:
    own, other = sign_in(), sign_in()
    assert stores.store(own.tenant_id) is stores.store(own.tenant_id)
    assert stores.store(own.tenant_id) is not stores.store(other.tenant_id)
