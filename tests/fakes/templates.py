"""In-memory twin of the templates repository."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tidegate.templates.domain import Template
from tidegate.templates.errors import ChangedMeanwhile
from tidegate.templates.repository import WholeTemplate
from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.errors import NotFound


@dataclass
class Writes:
    """What of a transaction the twin needs: steps that are checked, then done, all or none."""

    uses: list[tuple[dict[str, WholeTemplate], str]] = field(default_factory=list)

    def commit(self) -> None:
        """Raises ConditionFailed and does nothing if a template has gone."""
        if any(template_id not in stored for stored, template_id in self.uses):
            raise ConditionFailed(frozenset({"template"}))
        for stored, template_id in self.uses:
            whole = stored[template_id]
            count = whole.template.usage_count + 1
            stored[template_id] = replace(
                whole, template=replace(whole.template, usage_count=count)
            )


class MemoryTemplates:
    """Templates that one tenant may read; `platform` is shared by all tenants."""

    def __init__(self, platform: dict[str, WholeTemplate]) -> None:
        self._own: dict[str, WholeTemplate] = {}
        self._platform = platform

    def all(self) -> list[Template]:
        found = [whole.template for whole in (*self._own.values(), *self._platform.values())]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)

    def get(self, template_id: str) -> WholeTemplate:
        found = self._own.get(template_id) or self._platform.get(template_id)
        if found is None:
            raise NotFound
        return found

    def save(self, whole: WholeTemplate, *, replacing: Template | None) -> None:
        place, template = self._place(whole.template), whole.template
        known = place.get(template.id)
        if (known is None) != (replacing is None):
            raise ChangedMeanwhile
        if known is not None and replacing is not None:
            before, now = replacing, known.template
            if (before.updated_at, before.usage_count) != (now.updated_at, now.usage_count):
                raise ChangedMeanwhile
        place[template.id] = whole

    def delete(self, template: Template) -> None:
        if self._place(template).pop(template.id, None) is None:
            raise NotFound

    def add_use(self, writes: Writes, template: Template) -> None:
        """As the store's own, on a transaction of the twin's."""
        writes.uses.append((self._place(template), template.id))

    def _place(self, template: Template) -> dict[str, WholeTemplate]:
        return self._own if template.scope == "tenant" else self._platform
