"""Policies, their versions, validation and simulation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId

from tidegate.governance import answers, wiring
from tidegate.governance.errors import PolicyInvalid, TooManyPolicies, VersionConflict
from tidegate.governance.routes.router import router
from tidegate.governance.schemas import (
    DeletedPolicy,
    NewPolicy,
    PolicyList,
    PolicyModel,
    PolicyText,
    PolicyUpdate,
    Simulate,
    SimulationModel,
    TextError,
    Validity,
    VersionList,
    VersionModel,
)
from tidegate.governance.service.policies import PolicyChange
from tidegate.governance.service.simulation import Trial

Page = Annotated[PageParams, Depends()]
_PATH = "/governance/policies"


@router.get(_PATH, permission="policy:read", response_model=PolicyList)
def list_policies(call: CurrentCall, params: Page) -> Any:
    """The tenant's policies, newest first."""
    rows, fields = Paging(call, params, {}).slice(wiring.policies_of(call.principal.tenant).all())
    return PolicyList(policies=[answers.policy(row) for row in rows], **fields)


@router.post(
    _PATH, permission="policy:write", status=201, idempotent=True, response_model=PolicyModel,
    errors=[PolicyInvalid, TooManyPolicies],
)  # fmt: skip
def create_policy(body: NewPolicy, call: CurrentCall) -> Any:
    """Store a policy; its text is validated first."""
    made = wiring.policies_of(call.principal.tenant).create(
        body.name, body.text, enabled=body.enabled, by=call.principal.user_id,
        effect_key=call.effect_key,
    )  # fmt: skip
    return answers.policy(made)


@router.post(f"{_PATH}/validate", permission="policy:read", response_model=Validity)
def validate_policy(body: PolicyText, call: CurrentCall) -> Any:
    """Whether a text may be stored, and if not, where and why. Stores nothing."""
    problems = wiring.policies_of(call.principal.tenant).problems(body.text)
    return Validity(valid=not problems, errors=[TextError(**vars(one)) for one in problems])


@router.post(
    f"{_PATH}/simulate", permission="policy:read", response_model=SimulationModel,
    errors=[PolicyInvalid],
)  # fmt: skip
def simulate_policies(body: Simulate, call: CurrentCall) -> Any:
    """Replay recorded decisions with other policies. Stores nothing.

    A text with an id stands in for that policy, one without joins the enabled ones. Replayed are
    the newest 5,000 decisions of the span, by default of the last 30 days.
    """
    trials = [Trial(one.text, one.id) for one in body.policies]
    found = wiring.simulation_of(call.principal.tenant).run(trials, body.from_, body.to)
    return answers.simulation(found)


@router.get(f"{_PATH}/{{policy_id}}", permission="policy:read", response_model=PolicyModel)
def get_policy(policy_id: PathId, call: CurrentCall) -> Any:
    """A policy."""
    return answers.policy(wiring.policies_of(call.principal.tenant).get(policy_id))


@router.put(
    f"{_PATH}/{{policy_id}}", permission="policy:write", response_model=PolicyModel,
    errors=[PolicyInvalid, VersionConflict],
)  # fmt: skip
def put_policy(policy_id: PathId, body: PolicyUpdate, call: CurrentCall) -> Any:
    """Store the next version of a policy; with expected_version only over that version."""
    wish = PolicyChange(**body.model_dump())
    changed = wiring.policies_of(call.principal.tenant).change(
        policy_id, wish, call.principal.user_id
    )
    return answers.policy(changed)


@router.delete(
    f"{_PATH}/{{policy_id}}", permission="policy:write", response_model=DeletedPolicy,
    errors=[VersionConflict],
)  # fmt: skip
def delete_policy(policy_id: PathId, call: CurrentCall) -> Any:
    """Remove a policy. What was decided by it stays recorded."""
    wiring.policies_of(call.principal.tenant).delete(policy_id, call.principal.user_id)
    return DeletedPolicy(id=policy_id)


@router.get(f"{_PATH}/{{policy_id}}/versions", permission="policy:read", response_model=VersionList)
def list_policy_versions(policy_id: PathId, call: CurrentCall, params: Page) -> Any:
    """The versions of a policy, newest first."""
    found = wiring.policies_of(call.principal.tenant).versions(policy_id)
    paging = Paging(call, params, {"policy_id": policy_id})
    rows, fields = paging.slice(found, lambda row: str(row.version))
    return VersionList(versions=[VersionModel(**asdict(row)) for row in rows], **fields)
