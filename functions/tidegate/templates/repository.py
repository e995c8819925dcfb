"""Templates of a tenant and of the platform."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope

from tidegate.templates.domain import Parameter, Template
from tidegate.templates.errors import ChangedMeanwhile
from tidegate.templates.models import DefinitionItem, TemplateItem

_PLATFORM = "PLATFORM#TEMPLATES"


@dataclass(frozen=True)
class WholeTemplate:
    """A template with its definition."""

    template: Template
    definition: dict[str, Any]


class Templates(Protocol):
    """Templates that one tenant may read."""

    def all(self) -> list[Template]:
        """The tenant's and the platform's, newest first."""

    def get(self, template_id: str) -> WholeTemplate:
        """Raises NotFound."""

    def save(self, whole: WholeTemplate, *, replacing: Template | None) -> None:
        """Store. Raises ChangedMeanwhile if `replacing` is not what is stored."""

    def delete(self, template: Template) -> None:
        """Remove. Raises NotFound if it is gone."""

    def add_use(self, writes: Transaction, template: Template) -> None:
        """Add usage_count + 1 to a transaction (TPL-3); its condition is named "template"."""


class DynamoTemplates:
    """Templates on DynamoDB."""

    def __init__(self, scope: TenantScope) -> None:
        self._pk = scope.pk

    def all(self) -> list[Template]:
        found: list[Template] = []
        for pk in (self._pk, _PLATFORM):
            with store_errors():
                rows = TemplateItem.query(
                    pk, TemplateItem.sk.startswith("TEMPLATE#"), consistent_read=True
                )
                found += [_template(row) for row in rows]
        return sorted(found, key=lambda template: (template.created_at, template.id), reverse=True)

    def get(self, template_id: str) -> WholeTemplate:
        for pk in (self._pk, _PLATFORM):
            head, body = batch_get(
                [
                    (TemplateItem, pk, f"TEMPLATE#{template_id}"),
                    (DefinitionItem, pk, f"DEFINITION#{template_id}"),
                ]
            )
            if isinstance(head, TemplateItem) and isinstance(body, DefinitionItem):
                return WholeTemplate(_template(head), body.definition)
        raise NotFound

    def save(self, whole: WholeTemplate, *, replacing: Template | None) -> None:
        template, pk = whole.template, self._partition(whole.template.scope)
        stamp: dict[str, Any] = {
            "created_at": template.created_at,
            "updated_at": template.updated_at,
        }
        head = TemplateItem(
            pk,
            f"TEMPLATE#{template.id}",
            id=template.id,
            name=template.name,
            description=template.description,
            category=template.category,
            is_active=template.is_active,
            parameters=[asdict(parameter) for parameter in template.parameters],
            usage_count=template.usage_count,
            **stamp,
        )
        body = DefinitionItem(pk, f"DEFINITION#{template.id}", definition=whole.definition, **stamp)
        expected = (
            TemplateItem.pk.does_not_exist()
            if replacing is None
            else (TemplateItem.updated_at == replacing.updated_at)
            & (TemplateItem.usage_count == replacing.usage_count)
        )
        writes = Transaction()
        writes.save(head, expected, name="template")
        writes.save(body)
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise ChangedMeanwhile from lost

    def delete(self, template: Template) -> None:
        pk = self._partition(template.scope)
        writes = Transaction()
        writes.delete(TemplateItem(pk, f"TEMPLATE#{template.id}"), TemplateItem.pk.exists())
        writes.delete(DefinitionItem(pk, f"DEFINITION#{template.id}"))
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise NotFound from lost

    def add_use(self, writes: Transaction, template: Template) -> None:
        writes.update(
            TemplateItem(self._partition(template.scope), f"TEMPLATE#{template.id}"),
            [TemplateItem.usage_count.add(1)],
            TemplateItem.pk.exists(),
            name="template",
        )

    def _partition(self, scope: Literal["tenant", "platform"]) -> str:
        return self._pk if scope == "tenant" else _PLATFORM


def _template(item: TemplateItem) -> Template:
    return Template(
        id=item.id,
        name=item.name,
        description=item.description,
        category=item.category,
        is_active=item.is_active,
        parameters=tuple(Parameter(**row) for row in item.parameters),
        usage_count=int(item.usage_count),
        scope="platform" if item.pk == _PLATFORM else "tenant",
        created_at=item.created_at,
        updated_at=item.updated_at,
    )
