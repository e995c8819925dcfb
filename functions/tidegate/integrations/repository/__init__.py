"""Stores of the domain, one module per kind; `records` is the common form."""

from tidegate.integrations.repository.records import (
    DynamoAccounts,
    DynamoSecrets,
    DynamoTargets,
    Records,
)

__all__ = ["DynamoAccounts", "DynamoSecrets", "DynamoTargets", "Records"]
