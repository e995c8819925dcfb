"""Stored usage and the effects of inferences."""

from tidegate.ai.repository.store import AiStore, DynamoAiStore, Effect

__all__ = ["AiStore", "DynamoAiStore", "Effect"]
