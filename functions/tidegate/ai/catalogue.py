"""Which models there are, under which names, where, and what they cost.

Prices are USD for a million tokens in us-east-1, on demand: https://aws.amazon.com/bedrock/pricing/
(read March 2026). A deployment replaces the list by the setting AI_MODELS. At an OpenAI-compatible
server of one's own a token costs nothing unless AI_MODELS says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from tidegate.ai.domain import Model, Price, ProviderName, Route
from tidegate.ai.errors import UnknownModel

PROVIDERS: tuple[ProviderName, ...] = ("bedrock", "openai_compatible")
BUILT_IN: Mapping[str, Any] = {
    "nova-micro": {
        "bedrock": {"id": "amazon.nova-micro-v1:0", "input": "0.035", "output": "0.14"},
    },
    "nova-lite": {
        "aliases": ["default", "fast"],
        "bedrock": {"id": "amazon.nova-lite-v1:0", "input": "0.06", "output": "0.24"},
    },
    "nova-pro": {
        "aliases": ["best"],
        "bedrock": {"id": "amazon.nova-pro-v1:0", "input": "0.80", "output": "3.20"},
    },
    "claude-3-5-haiku": {
        "aliases": ["claude-haiku"],
        "bedrock": {
            "id": "us.anthropic.claude-3-5-haiku-20241022-v1:0",
            "input": "0.80",
            "output": "4.00",
        },
    },
    "llama3.2:3b": {
        "aliases": ["llama3.2", "llama3.2:latest"],
        "openai_compatible": {"id": "llama3.2:3b", "input": "0", "output": "0"},
        "bedrock": {
            "id": "us.meta.llama3-2-3b-instruct-v1:0",
            "input": "0.15",
            "output": "0.15",
        },
    },
}


@dataclass(frozen=True)
class Catalogue:
    """Models by name, and other names for them."""

    models: Mapping[str, Model]
    aliases: Mapping[str, str]

    def model(self, name: str) -> Model:
        """The model of a name or alias. Raises UnknownModel."""
        found = self.models.get(self.aliases.get(name, name))
        if found is None:
            raise UnknownModel
        return found


def build(given: Mapping[str, Any], order: tuple[ProviderName, ...]) -> Catalogue:
    """A catalogue of AI_MODELS' form, its routes in the order of the providers.

    {name: {aliases?: [name], <provider>: {id, input, output}}}; providers that `order` does not
    name are left out. Raises ValueError for anything else.
    """
    models: dict[str, Model] = {}
    aliases: dict[str, str] = {}
    for name, entry in given.items():
        if not isinstance(entry, Mapping) or entry.keys() - {"aliases", *PROVIDERS}:
            raise ValueError(f"model {name!r}: give aliases and {', '.join(PROVIDERS)}")
        routes = tuple(_route(name, one, entry[one]) for one in order if one in entry)
        models[name] = Model(name, routes)
        for alias in entry.get("aliases", []):
            if alias in given or alias in aliases:
                raise ValueError(f"model {name!r}: the alias {alias!r} is taken")
            aliases[alias] = name
    return Catalogue(models, aliases)


def _route(name: str, provider: ProviderName, entry: Any) -> Route:
    try:
        price = Price(Decimal(entry["input"]), Decimal(entry["output"]))
        model_id = str(entry["id"])
    except (KeyError, TypeError, InvalidOperation) as error:
        raise ValueError(f"model {name!r} at {provider}: give id, input and output") from error
    if not all(one.is_finite() and one >= 0 for one in (price.input, price.output)):
        raise ValueError(f"model {name!r} at {provider}: a price is at least 0")
    return Route(provider, model_id, price)


def read_order(text: str) -> tuple[ProviderName, ...]:
    """Providers from comma-separated names. Raises ValueError for an unknown or repeated one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(PROVIDERS) or len(set(names)) < len(names):
        raise ValueError(f"name {' and '.join(PROVIDERS)}, each at most once")
    return cast("tuple[ProviderName, ...]", tuple(names))
