"""cost-ingest: FOCUS files that were uploaded for the tenant, each read once for its content."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.pipelines import focus
from tidegate.pipelines.domain import DayCosts
from tidegate.pipelines.errors import AccountGone, FocusInvalid, TooManyLines
from tidegate.pipelines.executions import Execution, Problem, Unit
from tidegate.pipelines.service.ports import CostFile
from tidegate.pipelines.service.work import Parts, parameter

MAX_BYTES = 256 * 1024 * 1024


class ReadFocusFiles:
    """A unit a file; a malformed one writes nothing."""

    def plan(self, parts: Parts, execution: Execution) -> list[Unit]:
        """Files that are new or changed; the one asked for in any case."""
        asked = parameter(execution, "focus_file")
        files = parts.files.all()
        if asked is not None:
            known = [file for file in files if file.name == asked]
            return [_unit(file) for file in known] or [Unit(asked)]
        return [_unit(file) for file in files if parts.executions.file_tag(file.name) != file.tag]

    def step(self, parts: Parts, execution: Execution, unit: Unit) -> Unit:
        """Read the file whole, then store its days account by account."""
        if not unit.state:
            text = "There is no such file. Upload it first."
            return unit.ended(problems=[Problem("FILE_NOT_FOUND", text)])
        if unit.state["size"] > MAX_BYTES:
            text = f"{unit.key}: a file holds at most 256 MiB."
            return unit.ended(problems=[Problem("FILE_TOO_LARGE", text)])
        generations = {
            account.account_id: parts.costs.generation(account.account_id)
            for account in parts.accounts.connected()
        }
        connected = {account.account_id for account in parts.accounts.connected()}
        try:
            read = focus.read(parts.files.lines(unit.key))
            written = _write(parts, read, generations, connected)
        except FocusInvalid as invalid:
            return unit.ended(problems=[Problem(invalid.code, f"{unit.key}: {invalid}")])
        except (AccountGone, TooManyLines) as error:
            text = f"{unit.key}: {type(error).__name__} {error}".rstrip()
            return unit.ended(problems=[Problem("NOT_STORED", text)])
        parts.executions.mark_file(unit.key, unit.state["tag"], parts.clock())
        return unit.ended(written, _foreign(unit.key, read, connected))


def _unit(file: CostFile) -> Unit:
    return Unit(file.name, state={"tag": file.tag, "size": file.size})


def _write(
    parts: Parts,
    read: focus.Read,
    generations: Mapping[str, int],
    connected: set[str],
) -> int:
    written = 0
    for account_id in sorted(read.costs.keys() & connected & generations.keys()):
        by_day = read.costs[account_id]
        days = [
            DayCosts(day, "focus", by_day[day], read.rated_of(account_id, day))
            for day in sorted(by_day)
        ]
        parts.costs.write(account_id, generations[account_id], days, parts.clock())
        written += len(days)
    return written


def _foreign(name: str, read: focus.Read, connected: set[str]) -> list[Problem]:
    """Accounts of the file that are not connected here."""
    left = sorted(read.costs.keys() - connected)
    if not left:
        return []
    shown = ", ".join(left[:5]) + (" and others" if len(left) > 5 else "")
    text = f"{name}: rows of {shown} were left out, these accounts are not connected."
    return [Problem("ACCOUNT_NOT_CONNECTED", text)]
