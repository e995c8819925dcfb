"""Stores of the domain, one module per kind; `records` is the common form."""

from tidegate.integrations.repository.everywhere import (
    AccountRef,
    DynamoGlobalAccounts,
    GlobalAccounts,
    place_of,
)
from tidegate.integrations.repository.messages import DynamoMessages, Messages, Sent, Slot
from tidegate.integrations.repository.records import (
    DynamoAccounts,
    DynamoHealth,
    DynamoSecrets,
    DynamoTargets,
    Records,
)

__all__ = [
    "AccountRef",
    "DynamoAccounts",
    "DynamoGlobalAccounts",
    "DynamoHealth",
    "DynamoMessages",
    "DynamoSecrets",
    "DynamoTargets",
    "GlobalAccounts",
    "Messages",
    "Records",
    "Sent",
    "Slot",
    "place_of",
]
