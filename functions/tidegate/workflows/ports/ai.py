"""Models for ai nodes, under the tenant's budgets (AI-2)."""

from __future__ import annotations

from tidegate_kit.errors import ApiError, ServiceUnavailable
from tidegate_kit.tenancy import TenantScope

from tidegate.ai import public as ai
from tidegate.workflows.domain import Execution
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import AiAnswer, AiRequest

_SECONDS = 120.0  # for all providers together; the step function may run longer


class StepAi:
    """Ai of one step. The step's effect key makes a try after a death give the first answer."""

    def __init__(self, scope: TenantScope, execution: Execution) -> None:
        self._scope = scope
        self._execution = execution

    def infer(self, request: AiRequest, *, effect_key: str) -> AiAnswer:
        """Ask, pay and count once; asked again under the key, nothing of it is repeated."""
        asked = ai.InferRequest(
            messages=(ai.Message("user", request.prompt),),
            model=request.model,
            system=request.system,
            max_tokens=1024 if request.max_tokens is None else request.max_tokens,
            temperature=0.2 if request.temperature is None else request.temperature,
            output_schema=request.output_schema,
            timeout_seconds=_SECONDS,
        )
        try:
            answer = ai.infer(self._scope, self._execution.principal, asked, effect_key=effect_key)
        except ai.InferenceUncertain as error:
            text = "An earlier try ended before it could say whether the model had answered."
            raise StepError("EFFECT_UNCERTAIN", text) from error
        except ServiceUnavailable as error:
            raise StepError(error.code, error.message, retryable=True) from error
        except ApiError as error:
            raise StepError(error.code, error.message) from error
        usage = {
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
            "total_tokens": answer.usage.total_tokens,
        }
        return AiAnswer(answer.text, answer.json, answer.model, usage, float(answer.cost))
