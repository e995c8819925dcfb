"""Communication targets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Depends
from tidegate_kit.http import Call, CurrentCall, PageParams, Paging, PathId

from tidegate.integrations.domain import Target
from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.routes.router import router
from tidegate.integrations.schemas import Deleted, TargetFields, TargetList, TargetModel
from tidegate.integrations.wiring import targets_for

Page = Annotated[PageParams, Depends()]
_PATH = "/user/communication-targets"


@router.get(_PATH, permission="integration:read")
def list_targets(page: Page, call: CurrentCall) -> TargetList:
    """The caller's active targets, newest first."""
    rows, fields = Paging(call, page, {}).slice(targets_for(call).all())
    return TargetList(targets=[_model(call, row) for row in rows], **fields)


@router.post(_PATH, permission="integration:write", idempotent=True)
def create_target(body: TargetFields, call: CurrentCall) -> TargetModel:
    """Store a target."""
    return _model(call, targets_for(call).create(body.model_dump(), call.effect_key))


@router.get(f"{_PATH}/{{target_id}}", permission="integration:read")
def get_target(target_id: PathId, call: CurrentCall) -> TargetModel:
    """An active target."""
    return _model(call, targets_for(call).get(target_id))


@router.put(f"{_PATH}/{{target_id}}", permission="integration:write", errors=[ChangedMeanwhile])
def put_target(target_id: PathId, body: TargetFields, call: CurrentCall) -> TargetModel:
    """Replace a target; what is not sent becomes null."""
    return _model(call, targets_for(call).replace(target_id, body.model_dump()))


@router.delete(f"{_PATH}/{{target_id}}", permission="integration:write", errors=[ChangedMeanwhile])
def delete_target(target_id: PathId, call: CurrentCall) -> Deleted:
    """Deactivate a target: kept, no longer listed, answered as absent (INT-3)."""
    targets_for(call).delete(target_id)
    return Deleted(id=target_id)


def _model(call: Call, target: Target) -> TargetModel:
    fields = asdict(target)
    del fields["version"]
    return TargetModel(user_id=call.principal.user_id, **fields)
