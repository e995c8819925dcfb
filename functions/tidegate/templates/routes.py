"""Routes of contract 2.6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Query
from tidegate_kit.dynamo import Transaction
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId, Router
from tidegate_kit.ids import id_from, new_id

from tidegate.templates.errors import ChangedMeanwhile, MissingParameter
from tidegate.templates.repository import WholeTemplate
from tidegate.templates.schemas import (
    Deleted,
    Instantiate,
    InstantiatedWorkflow,
    ParameterModel,
    TemplateChange,
    TemplateCreate,
    TemplateDetail,
    TemplateList,
    TemplateModel,
    TemplateRow,
    WarningModel,
)
from tidegate.templates.service import parameters_of
from tidegate.templates.wiring import service_for
from tidegate.workflows.public.drafts import add_workflow, workflow_fields

router = Router("templates")
Page = Annotated[PageParams, Depends()]
Category = Annotated[str | None, Query(min_length=1, max_length=50)]


@router.get("/templates", permission="template:read", rate="T")
def list_templates(page: Page, call: CurrentCall, category: Category = None) -> TemplateList:
    """Templates of the tenant and the platform, newest first."""
    rows, fields = Paging(call, page, {"category": category}).slice(
        service_for(call).find(category)
    )
    answers = [
        TemplateRow(
            id=row.id, name=row.name, description=row.description, category=row.category,
            is_active=row.is_active, created_at=row.created_at, usage_count=row.usage_count,
            parameter_count=len(row.parameters),
        )
        for row in rows
    ]  # fmt: skip
    return TemplateList(templates=answers, **fields)


@router.post("/templates", permission="template:create", rate="T", status=201, idempotent=True)
def create_template(body: TemplateCreate, call: CurrentCall) -> TemplateModel:
    """Store a template."""
    fields = body.model_dump(exclude={"definition"})
    fields["parameters"] = parameters_of(fields["parameters"])
    template_id = id_from(call.effect_key) if call.effect_key else new_id()
    whole = service_for(call).create(template_id, fields, body.definition)
    return TemplateModel(**_fields(whole))


@router.get("/templates/{template_id}", permission="template:read", rate="T")
def get_template(template_id: PathId, call: CurrentCall) -> TemplateDetail:
    """A template with its definition."""
    return _detail(service_for(call).get(template_id))


@router.put(
    "/templates/{template_id}", permission="template:update", rate="T", errors=[ChangedMeanwhile]
)
def put_template(template_id: PathId, body: TemplateChange, call: CurrentCall) -> TemplateDetail:
    """Change any key; platform templates only by admins."""
    fields = body.model_dump(exclude_unset=True, exclude={"definition"})
    if "parameters" in fields:
        fields["parameters"] = parameters_of(fields["parameters"])
    return _detail(service_for(call).change(template_id, fields, body.definition))


@router.delete("/templates/{template_id}", permission="template:delete", rate="T")
def delete_template(template_id: PathId, call: CurrentCall) -> Deleted:
    """Remove a template; workflows made from it stay."""
    service_for(call).delete(template_id)
    return Deleted(id=template_id)


@router.post(
    "/templates/{template_id}/instantiate",
    permission="workflow:create",
    rate="T",
    idempotent=True,
    errors=[MissingParameter],
)
def instantiate_template(
    template_id: PathId, body: Instantiate, call: CurrentCall
) -> InstantiatedWorkflow:
    """Create a workflow from a template and count the use, in one transaction."""

    def add(writes: Transaction, definition: Mapping[str, Any]) -> Any:
        return add_workflow(
            writes, call, name=body.name, description=body.description,
            definition=definition, template_id=template_id,
        )  # fmt: skip

    whole, warnings = service_for(call).instantiate(template_id, body.parameter_values, add)
    fields = workflow_fields(whole)
    own = [WarningModel(code=w.code, message=w.message, path=w.path) for w in warnings]
    of_workflow = [
        WarningModel(code=issue.code, message=issue.message, path=issue.path)
        for issue in fields.pop("warnings", None) or []
    ]
    return InstantiatedWorkflow(**fields, warnings=own + of_workflow)


def _fields(whole: WholeTemplate) -> dict[str, Any]:
    template = whole.template
    return {
        "id": template.id, "name": template.name, "description": template.description,
        "category": template.category, "definition": whole.definition,
        "parameters": [ParameterModel(**vars(parameter)) for parameter in template.parameters],
        "is_active": template.is_active, "created_at": template.created_at,
    }  # fmt: skip


def _detail(whole: WholeTemplate) -> TemplateDetail:
    template = whole.template
    return TemplateDetail(
        **_fields(whole), usage_count=template.usage_count,
        parameter_count=len(template.parameters), scope=template.scope,
    )  # fmt: skip
