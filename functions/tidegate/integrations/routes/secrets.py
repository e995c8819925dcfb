"""Secrets of the tenant; no answer holds a value."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from tidegate_kit.http import CurrentCall, PageParams, Paging

from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.routes.router import router
from tidegate.integrations.schemas import (
    Deleted,
    PathSecretName,
    SecretList,
    SecretModel,
    SecretValue,
)
from tidegate.integrations.wiring import secrets_of

Page = Annotated[PageParams, Depends()]


@router.get("/user/secrets", permission="workflow:read")
def list_secrets(page: Page, call: CurrentCall) -> SecretList:
    """Names of the tenant's secrets, newest first."""
    rows, fields = Paging(call, page, {}).slice(secrets_of(call.principal.tenant).all())
    names = [SecretModel(name=row.id, updated_at=row.updated_at) for row in rows]
    return SecretList(secrets=names, **fields)


@router.put("/user/secrets/{name}", permission="workflow:update", errors=[ChangedMeanwhile])
def put_secret(name: PathSecretName, body: SecretValue, call: CurrentCall) -> SecretModel:
    """Store or replace a secret."""
    stored = secrets_of(call.principal.tenant).put(name, body.value, call.principal.user_id)
    return SecretModel(name=stored.id, updated_at=stored.updated_at)


@router.delete("/user/secrets/{name}", permission="workflow:update", errors=[ChangedMeanwhile])
def delete_secret(name: PathSecretName, call: CurrentCall) -> Deleted:
    """Remove a secret; steps that use it fail from now on."""
    secrets_of(call.principal.tenant).delete(name, call.principal.user_id)
    return Deleted(id=name)
