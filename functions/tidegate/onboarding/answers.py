"""Registrations and runs as the answers of contract 2.9."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tidegate.discovery.public import DiscoveryView
from tidegate.onboarding.credentials import KeyConnection
from tidegate.onboarding.domain import Check, Refusal, Registration
from tidegate.onboarding.public import warnings_of
from tidegate.onboarding.schemas import (
    CheckOut,
    CredentialsOut,
    DiscoveryOut,
    RefusalOut,
    RegionOut,
    RequestDetailOut,
    RequestOut,
    RunOut,
    ServiceOut,
    VerifiedOut,
    WarningOut,
)
from tidegate.onboarding.service import Links


def request(found: Registration, links: Links | None, now: datetime) -> RequestOut:
    """The answer of create."""
    by_role = found.method == "role"
    return RequestOut(
        id=found.id,
        account_id=found.account_id,
        tier=found.tier,
        regions=list(found.regions),
        label=found.label,
        status=found.shown_status(now),
        connection_method=found.method,
        external_id=found.external_id if by_role else None,
        role_name=found.role_name if by_role else None,
        template_url=links.template_url if links else None,
        template_url_expires_at=links.template_url_expires_at if links else None,
        quick_create_url=links.quick_create_url if links else None,
        created_at=found.created_at,
    )


def request_detail(found: Registration, links: Links | None, now: datetime) -> RequestDetailOut:
    """The answer of GET: create's, and what the last verification found."""
    return RequestDetailOut(
        **dict(request(found, links, now)),
        checks=checks(found.checks),
        refusal=refusal(found.refusal),
    )


def checks(found: Sequence[Check]) -> list[CheckOut]:
    """Checks in the order in which they were made."""
    return [
        CheckOut(name=c.name, outcome="pass" if c.passed else "fail", detail=c.detail)
        for c in found
    ]


def refusal(found: Refusal | None) -> RefusalOut | None:
    """A refusal, if there is one."""
    return None if found is None else RefusalOut(code=found.code, fix=found.fix)


def verified(found: Registration, run_status: str) -> VerifiedOut:
    """The answer of verify."""
    return VerifiedOut(
        id=found.id,
        account_id=found.account_id,
        status=found.status,
        role_arn=found.role_arn or "",
        checks=checks(found.checks),
        connected_at=found.connected_at or found.updated_at,
        discovery=RunOut(run_id=found.discovery_run_id, status=run_status),
    )


def by_credentials(made: KeyConnection, run_status: str, now: datetime) -> CredentialsOut:
    """The answer of connect/credentials."""
    found = made.registration
    warnings = warnings_of(found, now, over_privileged=made.over_privileged)
    return CredentialsOut(
        id=found.id,
        account_id=found.account_id,
        label=found.label,
        connection_method=found.method,
        status=found.status,
        tier=found.tier,
        regions=list(found.regions),
        role_arn=None,
        access_key_id=found.access_key_masked,
        refusal=refusal(found.refusal),
        resource_count=None,  # nothing was counted for this answer
        created_at=found.created_at,
        connected_at=found.connected_at,
        last_verified_at=found.last_verified_at,
        last_discovery_at=found.last_discovery_at,
        discovery=RunOut(run_id=found.discovery_run_id, status=run_status),
        warnings=[WarningOut(code=w.code, message=w.message) for w in warnings],
    )


def discovery(found: Registration, view: DiscoveryView | None) -> DiscoveryOut:
    """The state of the latest run."""
    if view is None:
        return DiscoveryOut(
            id=found.id, account_id=found.account_id, run_id=found.discovery_run_id,
            status="not_started", progress=0, started_at=None, completed_at=None,
            resources_found=0, regions=[],
        )  # fmt: skip
    return DiscoveryOut(
        id=found.id,
        account_id=found.account_id,
        run_id=view.run_id,
        status=view.status,
        progress=view.progress,
        started_at=view.started_at,
        completed_at=view.completed_at,
        resources_found=view.resources_found,
        regions=[
            RegionOut(
                region=region.region,
                services=[
                    ServiceOut(
                        service=s.service, status=s.status, resource_count=s.resource_count,
                        reason=s.reason, missing_actions=list(s.missing_actions),
                    )
                    for s in region.services
                ],
            )
            for region in view.regions
        ],
    )  # fmt: skip
