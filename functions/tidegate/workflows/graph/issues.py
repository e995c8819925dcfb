"""Problems of a definition, collected all at once (WF-1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# A definition of thousands of broken edges gets a bounded answer, which says that it is cut.
MAX_ISSUES = 1000


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem: code of WF-1, a sentence, the JSON path in the definition, and the place."""

    code: str
    message: str
    path: str
    node_id: str | None = None
    edge_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The wire shape {code, message, path, node_id?, edge_id?}."""
        body: dict[str, Any] = {"code": self.code, "message": self.message, "path": self.path}
        if self.node_id is not None:
            body["node_id"] = self.node_id
        if self.edge_id is not None:
            body["edge_id"] = self.edge_id
        return body


class IssueLog:
    """Collects issues in order, at most MAX_ISSUES and then one that says so."""

    def __init__(self) -> None:
        self._issues: list[Issue] = []
        self.cut = False

    def add(
        self,
        code: str,
        message: str,
        path: str,
        *,
        node_id: str | None = None,
        edge_id: str | None = None,
    ) -> None:
        """Record one problem."""
        if len(self._issues) < MAX_ISSUES:
            self._issues.append(Issue(code, message, path, node_id, edge_id))
        elif not self.cut:
            self.cut = True
            message = f"There are more than {MAX_ISSUES} problems; the rest is not listed."
            self._issues.append(Issue("LIMIT_EXCEEDED", message, ""))

    def extend(self, issues: Iterator[Issue] | tuple[Issue, ...]) -> None:
        """Record several problems."""
        for issue in issues:
            self.add(
                issue.code,
                issue.message,
                issue.path,
                node_id=issue.node_id,
                edge_id=issue.edge_id,
            )

    def __len__(self) -> int:
        return len(self._issues)

    def as_tuple(self) -> tuple[Issue, ...]:
        """The issues in the order found."""
        return tuple(self._issues)
