"""An inference under a key is asked once: its end is kept sealed and given again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from tidegate_kit.crypto import SealContext, Sealer
from tidegate_kit.errors import Detail

from tidegate.ai.domain import InferAnswer, Usage
from tidegate.ai.errors import OutputInvalid

_FIELD = "answer"


@dataclass(frozen=True)
class EffectSeal:
    """Seals and opens the ends of one tenant's inferences."""

    tenant_id: str
    sealer: Sealer

    def answer(self, effect_key: str, answer: InferAnswer) -> str:
        """A good end. Raises ServiceUnavailable."""
        plain = {**asdict(answer), "cost": str(answer.cost)}
        return self._seal(effect_key, {"answer": plain})

    def invalid(self, effect_key: str, details: tuple[Detail, ...]) -> str:
        """The end of an inference whose answer did not fit twice."""
        return self._seal(effect_key, {"invalid": [one.as_dict() for one in details]})

    def _seal(self, effect_key: str, end: dict[str, Any]) -> str:
        text = json.dumps(end, separators=(",", ":"))
        return self.sealer.seal(text, self._context(effect_key))

    def open(self, effect_key: str, sealed: str) -> InferAnswer:
        """The kept answer. Raises OutputInvalid where that was the end, SealBroken."""
        end = json.loads(self.sealer.open(sealed, self._context(effect_key)))
        if "invalid" in end:
            raise OutputInvalid(details=[Detail(**one) for one in end["invalid"]])
        kept = end["answer"]
        return InferAnswer(
            **{**kept, "usage": Usage(**kept["usage"]), "cost": Decimal(kept["cost"])}
        )

    def _context(self, effect_key: str) -> SealContext:
        return SealContext(self.tenant_id, effect_key, _FIELD)
