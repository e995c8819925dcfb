"""Errors of AI."""

from __future__ import annotations

from tidegate_kit.budgets import BudgetExceeded
from tidegate_kit.errors import ServiceUnavailable, Unprocessable

__all__ = [
    "BudgetExceeded",
    "InferenceUncertain",
    "OutputInvalid",
    "ProviderRateLimited",
    "ProviderUnavailable",
    "UnknownModel",
]


class UnknownModel(Unprocessable):
    code = "UNKNOWN_MODEL"
    message = "There is no model of this name. GET /ai/models lists them."


class OutputInvalid(Unprocessable):
    code = "OUTPUT_INVALID"
    message = "The model's answer does not fit the output schema, also after a second try."


class ProviderRateLimited(ServiceUnavailable):
    code = "PROVIDER_RATE_LIMITED"
    message = "The model's provider asks for patience. Try again shortly."


class ProviderUnavailable(ServiceUnavailable):
    code = "PROVIDER_UNAVAILABLE"
    message = "No provider of this model answers. Try again shortly."


class InferenceUncertain(ServiceUnavailable):
    """An earlier call under the same key ended without a recorded answer; it may have been paid."""

    code = "PROVIDER_UNAVAILABLE"
    message = "An earlier call under this key ended without an answer. Use a new key to ask again."
