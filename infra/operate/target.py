"""The deployment that a command works on: a stack in the account of the caller's credentials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


class Clients(Protocol):
    """Gives boto3 clients."""

    def __call__(self, service: str, credentials: Any = None) -> Any:
        """A client of a service, of the caller's profile or of temporary credentials."""


class OperationError(Exception):
    """What an operator must know; the message says what to do."""


@dataclass(frozen=True)
class Target:
    """A stack and the way to reach its account. `client` gives a boto3 client of a service."""

    stack: str
    client: Clients
    say: Callable[[str], None] = print
    outputs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_stack(cls, stack: str, client: Clients, say: Callable[[str], None] = print) -> Target:
        """Read the stack's outputs. Raises OperationError without credentials or stack."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        except (ClientError, BotoCoreError) as error:
            raise OperationError(
                f"the stack {stack!r} cannot be read: {error}. Sign in to the platform's account "
                "(for example `aws sso login`, AWS_PROFILE) and name the stack with --stack."
            ) from error
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
        return cls(stack, client, say, outputs)

    def output(self, name: str) -> str:
        """An output of the stack. Raises OperationError."""
        if name not in self.outputs:
            raise OperationError(f"the stack {self.stack!r} has no output {name}: deploy it again")
        return self.outputs[name]

    def table(self, logical: str) -> str:
        """The physical name of a table. Raises OperationError."""
        # The prefix is in the name of the erasure function: tidegate-<stage>-erasure.
        return f"{self.output('ErasureFunctionName').removesuffix('-erasure')}-{logical}"
