"""What an importer of AWS's recommendations is, and how its listings are read to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.findings.recommendations.advice import Recommendation

_MAX_PAGES = 500


class Incomplete(Exception):
    """The service did not tell everything: what it told is not taken for the whole."""


class Unavailable(Exception):
    """The account does not have the service; the text is the reason that is shown."""


@dataclass(frozen=True)
class Source:
    """One listing of recommendations.

    `service` is boto3's name. `home` is the region that answers for all regions; None: each
    region answers for itself. `dependent` are the further actions that `action` needs.
    `check_ids` are the checks of ours that its recommendations can mean. `read` asks a client
    about an account; it raises Incomplete, Unavailable and what the client raises. `refusals`
    maps an error's code, or a part of its text, to the reason that is shown.
    """

    service: str
    home: str | None
    action: str
    dependent: tuple[str, ...]
    check_ids: tuple[str, ...]
    read: Callable[[Any, str], Iterator[Recommendation]]
    refusals: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def actions(self) -> tuple[str, ...]:
        """Every IAM action that reading it needs."""
        return (self.action, *self.dependent)


def pages(
    call: Callable[..., Mapping[str, Any]], request: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """The answers of a listing (`nextToken` in both), to its end.

    Raises Incomplete when a token repeats or there is no end, and what the client raises.
    """
    token: str | None = None
    for _ in range(_MAX_PAGES):
        answer = call(**request, **({} if token is None else {"nextToken": token}))
        yield answer
        following = answer.get("nextToken") or None
        if following is None:
            return
        if following == token:
            break
        token = following
    raise Incomplete("the listing does not end")
