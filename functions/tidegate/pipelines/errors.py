"""Errors of pipelines."""

from __future__ import annotations

from tidegate_kit.errors import Conflict


class AccountGone(Exception):
    """The account was disconnected while its costs were read: nothing of it is kept."""


class TooManyLines(Exception):
    """A day has more services and usage types than one item holds."""


class PipelineRunning(Conflict):
    code = "PIPELINE_RUNNING"
    message = "This pipeline is running. Wait for it to end, or cancel it."


class ExecutionFinished(Conflict):
    code = "EXECUTION_FINISHED"
    message = "This execution has ended."


class Superseded(Exception):
    """Another worker has written the execution: read it again and go on from there."""


class ExecutionGone(LookupError):
    """A task names an execution that this tenant does not have: a foreign or forged message."""


class FocusInvalid(Exception):
    """A cost file is malformed; the message names row and column, never the value."""

    code = "FOCUS_INVALID"


class AccountDenied(Exception):
    """The account refuses us, or the call. `action` is what is missing."""

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__(action)


class ProviderThrottled(Exception):
    """AWS throttles us: the state machine tries again later."""


class ProviderUnavailable(Exception):
    """AWS does not answer: the state machine tries again later."""


class NotReadable(Exception):
    """The account gives no costs that we could use; the text says why."""
