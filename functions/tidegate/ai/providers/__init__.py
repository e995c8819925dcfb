"""Providers of models behind one Protocol."""

from tidegate.ai.providers.base import ModelProvider, ProviderFailed

__all__ = ["ModelProvider", "ProviderFailed"]
