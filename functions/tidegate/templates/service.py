"""Keeping and instantiating templates (TPL-1 to TPL-3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import ConditionFailed, Transaction
from tidegate_kit.errors import Forbidden, NotFound

from tidegate.templates.domain import Parameter, Template, ValueWarning, substitute, values_of
from tidegate.templates.errors import ChangedMeanwhile, MissingParameter
from tidegate.templates.repository import Templates, WholeTemplate


class TemplateService:
    """The templates that one caller may read; `is_admin` lets him change the platform's."""

    def __init__(self, templates: Templates, clock: Clock, *, is_admin: bool) -> None:
        self._templates = templates
        self._clock = clock
        self._is_admin = is_admin

    def find(self, category: str | None) -> list[Template]:
        """Newest first."""
        found = self._templates.all()
        return [item for item in found if category is None or item.category == category]

    def get(self, template_id: str) -> WholeTemplate:
        """Raises NotFound."""
        return self._templates.get(template_id)

    def create(
        self, template_id: str, fields: Mapping[str, Any], definition: dict[str, Any]
    ) -> WholeTemplate:
        """Store a new template of the tenant; the same id again gives what is stored."""
        now = self._clock()
        template = Template(
            id=template_id, is_active=True, usage_count=0, scope="tenant",
            created_at=now, updated_at=now, **fields,
        )  # fmt: skip
        whole = WholeTemplate(template, definition)
        try:
            self._templates.save(whole, replacing=None)
        except ChangedMeanwhile:
            return self.get(template_id)  # an earlier call with this Idempotency-Key stored it
        return whole

    def change(
        self, template_id: str, fields: Mapping[str, Any], definition: dict[str, Any] | None
    ) -> WholeTemplate:
        """Apply a PUT. Raises NotFound, Forbidden (a platform template), ChangedMeanwhile."""
        old = self._changeable(template_id)
        whole = WholeTemplate(
            replace(old.template, updated_at=self._clock(), **fields),
            old.definition if definition is None else definition,
        )
        self._templates.save(whole, replacing=old.template)
        return whole

    def delete(self, template_id: str) -> None:
        """Remove a template; workflows made from it stay. Raises NotFound, Forbidden."""
        self._templates.delete(self._changeable(template_id).template)

    def _changeable(self, template_id: str) -> WholeTemplate:
        whole = self._templates.get(template_id)
        if whole.template.scope == "platform" and not self._is_admin:
            raise Forbidden
        return whole

    def instantiate(
        self,
        template_id: str,
        given: Mapping[str, Any],
        add_workflow: Callable[[Transaction, Mapping[str, Any]], Any],
    ) -> tuple[Any, list[ValueWarning]]:
        """Create a workflow and count the use, both or neither (TPL-3).

        `add_workflow` adds the workflow's writes and gives what was made. Raises NotFound,
        MissingParameter, and what `add_workflow` raises.
        """
        whole = self._templates.get(template_id)
        if not whole.template.is_active:
            raise NotFound
        values, problems, warnings = values_of(whole.template.parameters, given)
        if problems:
            raise MissingParameter(details=problems)
        writes = Transaction()
        made = add_workflow(writes, substitute(whole.definition, values))
        self._templates.add_use(writes, whole.template)
        try:
            writes.commit()
        except ConditionFailed as lost:
            if "template" in lost.names:
                raise NotFound from lost
            # The same call again after its answer was lost: the workflow's id is its key's.
        return made, warnings


def parameters_of(rows: list[dict[str, Any]]) -> tuple[Parameter, ...]:
    """Domain parameters of a request."""
    return tuple(Parameter(**row) for row in rows)
