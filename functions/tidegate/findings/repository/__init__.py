"""Storage of findings (table `findings`)."""

from tidegate.findings.repository.controls import DynamoExceptions, DynamoRefreshes
from tidegate.findings.repository.deletion import FindingDeletion as DynamoFindings
from tidegate.findings.repository.ports import (
    ExceptionStore,
    FindingStore,
    Living,
    Place,
    RefreshStore,
    Thresholds,
)

__all__ = [
    "DynamoExceptions",
    "DynamoFindings",
    "DynamoRefreshes",
    "ExceptionStore",
    "FindingStore",
    "Living",
    "Place",
    "RefreshStore",
    "Thresholds",
]
