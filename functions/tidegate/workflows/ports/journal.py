"""The journal of one step's effect: claimed before, answered after (E18)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tidegate_kit.ids import IdFactory

from tidegate.workflows.domain import Execution
from tidegate.workflows.nodes import StepError
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.templating import redact


class EffectUncertain(Exception):
    """Raised by an effect that may have happened although its answer did not come."""


@dataclass(frozen=True)
class Journal:
    """Makes an effect happen at most once for a step, whatever dies in between.

    `secrets` are the values that the step has used; no answer is kept with one of them (E21).
    """

    ledger: Ledger
    execution: Execution
    step_id: str
    ids: IdFactory
    secrets: set[str] = field(repr=False)

    @property
    def key(self) -> str:
        """Names the effect towards whoever can tell repetitions apart."""
        return f"{self.execution.id}/{self.step_id}"

    def once(self, act: Callable[[], Any]) -> Any:
        """The answer of `act`, or the kept one of an earlier try.

        A StepError of `act` means that nothing happened that must not happen again; the claim is
        given back. Raises StepError EFFECT_UNCERTAIN where an earlier try died on the way.
        """
        state = self.ledger.effect_begin(self.execution, self.step_id, self.ids())
        if state.state == "done":
            return state.answer
        if state.state == "begun":
            text = "An earlier try ended before it could say whether the effect happened."
            raise StepError("EFFECT_UNCERTAIN", text)
        try:
            answer = act()
        except StepError:
            self.ledger.effect_clear(self.execution.id, self.step_id)
            raise
        except EffectUncertain as error:
            raise StepError("EFFECT_UNCERTAIN", str(error)) from error
        self.ledger.effect_done(self.execution, self.step_id, redact(answer, self.secrets))
        return answer
