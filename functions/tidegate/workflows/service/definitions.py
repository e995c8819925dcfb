"""Definitions: checked when saved, read back when needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from tidegate_kit.errors import NotFound

from tidegate.workflows.compiler import CompileError, compile_definition
from tidegate.workflows.domain import Execution, Version, content_hash
from tidegate.workflows.errors import DefinitionInvalid
from tidegate.workflows.graph import Definition, Issue, load_definition
from tidegate.workflows.repository.blobs import SMALL_OCTETS, Blobs
from tidegate.workflows.repository.workflows import Workflows
from tidegate.workflows.service.program import Program
from tidegate.workflows.validation import Report, ValidationContext, validate_definition

_KEPT_DEFINITIONS: Final = 32
_KEPT_PINS: Final = 512


@dataclass(frozen=True)
class TenantNames:
    """What definitions may mention besides workflows; None leaves that check out."""

    secrets: Container[str] | None = None
    accounts: Container[str] | None = None


@dataclass
class Loaded:
    """A version with its definition, as sent and as parsed (None when it is not valid)."""

    version: Version
    raw: Mapping[str, Any]
    parsed: Definition | None
    program: Program | None = None


class Definitions:
    """The definitions of one tenant."""

    def __init__(
        self,
        tenant_id: str,
        workflows: Workflows,
        blobs: Blobs,
        names: Callable[[], TenantNames] = TenantNames,
    ) -> None:
        self._tenant_id = tenant_id
        self._workflows = workflows
        self._blobs = blobs
        self._names = names

    def report(self, raw: object, workflow_id: str | None) -> Report:
        """Every problem of a definition (WF-1)."""
        names = self._names()
        context = ValidationContext(
            secrets=names.secrets,
            accounts=names.accounts,
            workflow_id=workflow_id,
            callees=self._workflows.callees,
        )
        return compilable(validate_definition(raw, context))

    def accept(self, raw: object, workflow_id: str, *, is_active: bool) -> Report:
        """The report of a definition that may be saved. Raises DefinitionInvalid (WF-1)."""
        report = self.report(raw, workflow_id)
        if not report.well_shaped or (is_active and not report.valid):
            raise DefinitionInvalid(report.errors)
        return report

    def version(
        self,
        workflow_id: str,
        number: int,
        raw: Mapping[str, Any],
        report: Report,
        *,
        by: str,
        now: datetime,
    ) -> Version:
        """A version of an accepted definition; a large one goes to S3 first."""
        return Version(
            workflow_id=workflow_id,
            version=number,
            created_at=now,
            created_by=by,
            content_hash=content_hash(raw),
            definition=self._blobs.put(_place(workflow_id), raw, inline=SMALL_OCTETS),
            valid=report.valid,
            issues=tuple(issue.as_dict() for issue in (*report.errors, *report.warnings)),
            required_inputs=report.required_inputs if report.valid else (),
            callees=_callees(report.definition),
        )

    def raw(self, version: Version) -> Mapping[str, Any]:
        """The definition as it was sent. Raises BlobBroken."""
        found: Mapping[str, Any] = self._blobs.get(_place(version.workflow_id), version.definition)
        return found

    def load(self, workflow_id: str, number: int, *, published: bool = False) -> Loaded:
        """A version with its definition; versions never change, so they are kept in memory.

        `published`: with its plan, as far as it has one. Raises NotFound.
        """
        key = (self._tenant_id, workflow_id, number)
        known = _kept.get(key)
        if known is not None and (known.version.plan is not None or not published):
            return known
        version = self._workflows.version(workflow_id, number)
        raw = self.raw(version)
        loaded = Loaded(version, raw, load_definition(raw) if version.valid else None)
        _kept[key] = loaded
        if len(_kept) > _KEPT_DEFINITIONS:
            _kept.popitem(last=False)
        return loaded

    def program(self, workflow_id: str, number: int) -> Program:
        """A valid version, ready to be followed. Raises NotFound."""
        loaded = self.load(workflow_id, number, published=True)
        if loaded.parsed is None:
            raise NotFound
        if loaded.program is None:
            loaded.program = Program(loaded.parsed, (loaded.version.plan or {}).get("gates", {}))
        return loaded.program

    def pinned(self, execution_id: str) -> tuple[str, int] | None:
        """(workflow id, version) of an execution that this process has seen; it never changes."""
        return _pins.get((self._tenant_id, execution_id))

    def pin(self, execution: Execution) -> tuple[str, int]:
        """Remember an execution's version, so that its next step reads the store once."""
        found = (execution.workflow_id, execution.workflow_version)
        _pins[self._tenant_id, execution.id] = found
        if len(_pins) > _KEPT_PINS:
            _pins.popitem(last=False)
        return found


_kept: OrderedDict[tuple[str, str, int], Loaded] = OrderedDict()
_pins: OrderedDict[tuple[str, str], tuple[str, int]] = OrderedDict()


def compilable(report: Report) -> Report:
    """The report, with the problem that a valid definition does not fit one machine (E10)."""
    if not report.valid or report.definition is None:
        return report
    try:
        compile_definition(report.definition)
    except CompileError as error:
        return replace(report, errors=(Issue("LIMIT_EXCEEDED", str(error), ""),))
    return report


def _place(workflow_id: str) -> str:
    return f"definition/{workflow_id}"


def _callees(definition: Definition | None) -> tuple[str, ...]:
    if definition is None:
        return ()
    called = [
        str(node.data.get("workflow_id"))
        for _, one in definition.walk()
        for node in one.graph.nodes
        if node.type == "subworkflow"
    ]
    return tuple(dict.fromkeys(called))


def issues_of(version: Version) -> list[dict[str, Any]]:
    """The problems and warnings that a version was saved with."""
    return [dict(issue) for issue in version.issues]


def as_issue(stored: Mapping[str, Any]) -> Issue:
    """A stored issue as an object."""
    return Issue(
        stored["code"],
        stored["message"],
        stored["path"],
        stored.get("node_id"),
        stored.get("edge_id"),
    )
