"""The answers of contract 2.15."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from tidegate_kit.errors import Detail, ServiceUnavailable, envelope
from tidegate_kit.http import Call

from tidegate.admin import schemas
from tidegate.admin.service.config import Value
from tidegate.admin.service.selftest import Findings
from tidegate.admin.service.stores import StoreState
from tidegate.governance.public import AuditService
from tidegate.monitoring.public.web import Health


def config(values: list[Value]) -> schemas.Config:
    """GET and PUT /admin/config."""
    return schemas.Config(effective=[schemas.ConfigValue(**vars(one)) for one in values])


def self_test(found: Findings) -> schemas.SelfTest:
    """GET /admin/self-test."""
    return schemas.SelfTest(ok=found.ok, **vars(found))


def health(
    call: Call, response: Response, body: Health, states: list[StoreState], users: int
) -> schemas.AdminHealth:
    """GET /admin/health: the public body, and each store as configured and as reached."""
    shown: dict[str, Any] = body.model_dump()
    wrong = [one.configured.table for one in states if not one.matches]
    if wrong:
        shown["status"] = "unhealthy"
        if response.status_code != ServiceUnavailable.status:
            response.status_code, call.error_code = 503, ServiceUnavailable.code
            details = [Detail("stores", f"{name} is not the configured table") for name in wrong]
            message = "A table in use is not the configured one."
            problem = envelope(ServiceUnavailable.code, message, details, call.request_id, call.now)
            shown["error"] = problem["error"]
    return schemas.AdminHealth(
        **shown, stores=[schemas.StoreModel.of(one) for one in states], user_count=users
    )


def audit_page(
    log: AuditService, rows: list[Any], fields: dict[str, Any], *, verify: bool
) -> schemas.AuditList:
    """GET /admin/audit, as GET /governance/audit answers."""
    checked = schemas.AuditVerification(**vars(log.verification())) if verify else None
    entries = [
        schemas.AuditEntry(**row.fields, prev_hash=row.prev_hash, hash=row.hash) for row in rows
    ]
    return schemas.AuditList(entries=entries, verification=checked, **fields)
