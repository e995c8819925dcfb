"""Notices of notify nodes: a table row that realtime and webhooks derive their messages from."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.workflows.domain import Execution, LogEntry
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import Mail, Mailer, Notice
from tidegate.workflows.ports.journal import Journal


class LedgerNotices:
    """Notices of one step.

    A realtime notice is a line of the execution's log with `data.notice`, committed with its
    effect key: whoever pushes messages reads it off the table's stream, so none is lost.
    """

    def __init__(
        self,
        execution: Execution,
        journal: Journal,
        mailer: Mailer,
        write: Callable[[Notice], LogEntry],
        recipients: Callable[[], list[str]],
        deliver: Callable[[Notice, str], list[str]],
    ) -> None:
        self._execution = execution
        self._journal = journal
        self._mailer = mailer
        self._write = write
        self._recipients = recipients
        self._deliver = deliver

    def notify(self, notice: Notice, *, effect_key: str) -> None:
        """Hand the notice to its channel, once."""
        if notice.channel == "realtime":
            self._journal.once(lambda: self._write(notice).id)
            return
        if notice.channel == "email":
            to = tuple(self._recipients())
            if not to:
                raise StepError("NO_RECIPIENT", "Nobody is there to be told by e-mail.")
            mail = Mail(to, (), (), None, notice.title, notice.message, {}, None)
            self._mailer.send(mail, effect_key=effect_key)
            return
        # The same key makes the same deliveries, so a step that dies here may simply run again.
        if not self._deliver(notice, effect_key):
            raise StepError("NO_RECIPIENT", "No webhook of the tenant listens to system.alert.")
