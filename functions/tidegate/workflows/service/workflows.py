"""Creating, changing and reading workflows (contract 2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.ids import IdFactory

from tidegate.workflows.domain import RunSettings, Version, Workflow
from tidegate.workflows.errors import DefinitionInvalid, VersionConflict
from tidegate.workflows.repository.workflows import Workflows
from tidegate.workflows.service.definitions import Definitions, as_issue, issues_of

_ATTEMPTS = 4


@dataclass(frozen=True)
class Draft:
    """A workflow to be created."""

    name: str
    description: str
    definition: Mapping[str, Any]
    is_active: bool
    settings: RunSettings
    template_id: str | None = None


@dataclass(frozen=True)
class Change:
    """A PUT: what is None stays. `expected_version` guards against a change in between."""

    name: str | None = None
    description: str | None = None
    definition: Mapping[str, Any] | None = None
    is_active: bool | None = None
    settings: RunSettings | None = None
    expected_version: int | None = None


@dataclass(frozen=True)
class Whole:
    """A workflow with the definition of its current version and the warnings about it."""

    workflow: Workflow
    definition: Mapping[str, Any]
    warnings: list[dict[str, Any]]


class WorkflowService:
    """The workflows of one tenant, changed by one user."""

    def __init__(
        self,
        workflows: Workflows,
        definitions: Definitions,
        user_id: str,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._workflows = workflows
        self._definitions = definitions
        self._user_id = user_id
        self._clock = clock
        self._ids = ids

    def create(self, draft: Draft, *, workflow_id: str | None = None) -> Whole:
        """Store a new workflow as version 1. Raises DefinitionInvalid."""
        whole, version = self.prepare(draft, workflow_id or self._ids())
        self._workflows.create(whole.workflow, version)
        return whole

    def new_workflow_id(self) -> str:
        """An id for a workflow that somebody else stores."""
        return self._ids()

    def prepare(self, draft: Draft, workflow_id: str) -> tuple[Whole, Version]:
        """A workflow and its first version, not yet stored. Raises DefinitionInvalid."""
        now = self._clock()
        report = self._definitions.accept(draft.definition, workflow_id, is_active=draft.is_active)
        version = self._definitions.version(
            workflow_id, 1, draft.definition, report, by=self._user_id, now=now
        )
        workflow = Workflow(
            id=workflow_id,
            name=draft.name,
            description=draft.description,
            is_active=draft.is_active,
            created_by=self._user_id,
            created_at=now,
            updated_at=now,
            version=1,
            settings=draft.settings,
            template_id=draft.template_id,
        )
        return Whole(workflow, draft.definition, issues_of(version)), version

    def get(self, workflow_id: str) -> Whole:
        """A workflow with its definition. Raises NotFound."""
        return self._whole(self._workflows.get(workflow_id))

    def _whole(self, workflow: Workflow) -> Whole:
        loaded = self._definitions.load(workflow.id, workflow.version)
        return Whole(workflow, loaded.raw, issues_of(loaded.version))

    def change(self, workflow_id: str, change: Change) -> Whole:
        """Apply a PUT. Raises NotFound, VersionConflict, DefinitionInvalid."""
        for attempt in range(_ATTEMPTS):
            try:
                return self._change(self._workflows.get(workflow_id), change)
            except VersionConflict:
                # Without expected_version the last writer wins, on what is there now.
                if change.expected_version is not None or attempt == _ATTEMPTS - 1:
                    raise
        raise VersionConflict

    def _change(self, old: Workflow, change: Change) -> Whole:
        if change.expected_version not in (None, old.version):
            raise VersionConflict
        new = replace(
            old,
            name=old.name if change.name is None else change.name,
            description=old.description if change.description is None else change.description,
            is_active=old.is_active if change.is_active is None else change.is_active,
            settings=change.settings or old.settings,
            updated_at=self._clock(),
        )
        version = None
        if change.definition is not None:
            new = replace(new, version=old.version + 1)
            version = self._next(new, change.definition)
        elif new.is_active and not old.is_active:
            self._must_be_valid(new)
        self._workflows.change(old, new, version)
        return self.get(old.id)

    def _next(self, workflow: Workflow, raw: Mapping[str, Any]) -> Version:
        report = self._definitions.accept(raw, workflow.id, is_active=workflow.is_active)
        return self._definitions.version(
            workflow.id, workflow.version, raw, report, by=self._user_id, now=workflow.updated_at
        )

    def _must_be_valid(self, workflow: Workflow) -> None:
        stored = self._definitions.load(workflow.id, workflow.version)
        if not stored.version.valid:
            # What was wrong then may be right by now, as a secret that has been added since.
            self._definitions.accept(stored.raw, workflow.id, is_active=True)
            raise DefinitionInvalid([as_issue(issue) for issue in stored.version.issues])

    def rollback(self, workflow_id: str, number: int) -> Whole:
        """A new version equal to an old one (WF-11). Raises NotFound, DefinitionInvalid."""
        raw = self._definitions.load(workflow_id, number).raw
        return self.change(workflow_id, Change(definition=raw))

    def delete(self, workflow_id: str) -> None:
        """Remove a workflow. Raises NotFound."""
        for _ in range(_ATTEMPTS):
            try:
                workflow = replace(self._workflows.get(workflow_id), updated_at=self._clock())
                return self._workflows.delete(workflow)
            except VersionConflict:
                continue
        raise VersionConflict

    def versions(self, workflow_id: str) -> list[Version]:
        """Every version, newest first. Raises NotFound."""
        self._workflows.get(workflow_id)
        return self._workflows.versions(workflow_id)

    def version(self, workflow_id: str, number: int) -> tuple[Version, Mapping[str, Any]]:
        """One version with its definition. Raises NotFound."""
        self._workflows.get(workflow_id)
        loaded = self._definitions.load(workflow_id, number)
        return loaded.version, loaded.raw
