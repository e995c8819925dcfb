"""Stores of the domain, one module per kind; `records` is the common form."""

from tidegate.integrations.repository.messages import DynamoMessages, Messages, Sent, Slot
from tidegate.integrations.repository.records import (
    DynamoAccounts,
    DynamoHealth,
    DynamoSecrets,
    DynamoTargets,
    Records,
)

__all__ = [
    "DynamoAccounts",
    "DynamoHealth",
    "DynamoMessages",
    "DynamoSecrets",
    "DynamoTargets",
    "Messages",
    "Records",
    "Sent",
    "Slot",
]
