"""Messages to communication targets of the execution's starter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import logger
from tidegate_kit.tenancy import UserScope

from tidegate.integrations import public as integrations
from tidegate.workflows.nodes import StepError


class StepTargets:
    """Targets port of one step. Each target's message is sent once, whatever the step's tries."""

    def __init__(self, scope: UserScope) -> None:
        self._scope = scope

    def send(
        self,
        target_ids: Sequence[str],
        channel: str,
        subject: str | None,
        text: str,
        *,
        effect_key: str,
    ) -> list[dict[str, str]]:
        """Send to each; a target that fails keeps no other from its message."""
        sent: list[dict[str, str]] = []
        problems: list[StepError] = []
        for target_id in dict.fromkeys(target_ids):
            try:
                message_id = self._send(target_id, channel, subject, text, effect_key)
            except StepError as error:
                problems.append(error)
                continue
            sent.append({"target_id": target_id, "message_id": message_id})
        # Another try is worth it while any of them may still succeed.
        for problem in sorted(problems, key=lambda one: not one.retryable):
            if len(target_ids) == 1:
                raise problem
            text = f"{len(problems)} of {len(target_ids)} messages were not sent: {problem.message}"
            raise StepError(problem.code, text, retryable=problem.retryable)
        return sent

    def _send(
        self, target_id: str, channel: str, subject: str | None, text: str, effect_key: str
    ) -> str:
        named = cast(integrations.Channel, channel)  # the node's schema has checked it
        try:
            return integrations.send_message(
                self._scope, target_id, named, subject, text, effect_key
            )
        except integrations.ChannelError as error:
            raise StepError(error.code, error.message, retryable=error.retryable) from error
        except ServiceUnavailable as error:
            logger.warning("a message was not sent", cause=error.log)
            raise StepError(error.code, error.message, retryable=True) from error
