"""An iCalendar file as a tree of components whose every property knows its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_BREAK = re.compile(r"\r?\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
MAX_DEPTH = 6


@dataclass(frozen=True)
class Property:
    """NAME;PARAMETERS:VALUE. Names are upper case; `value` is as written, `text` the whole line."""

    name: str
    parameters: dict[str, str]
    value: str
    text: str
    line: int

    @property
    def plain(self) -> str:
        """The value of a TEXT property, unescaped."""
        from icalendar.prop import vText

        return str(vText.from_ical(self.value))


@dataclass
class Component:
    """BEGIN to END."""

    name: str
    line: int
    properties: list[Property] = field(default_factory=list)
    children: list[Component] = field(default_factory=list)

    def first(self, name: str) -> Property | None:
        """The first property of a name."""
        return next((one for one in self.properties if one.name == name), None)

    def each(self, name: str) -> Iterator[Property]:
        """Every property of a name."""
        return (one for one in self.properties if one.name == name)

    def lines(self) -> Iterator[str]:
        """The component as unfolded lines."""
        yield f"BEGIN:{self.name}"
        yield from (one.text for one in self.properties)
        for child in self.children:
            yield from child.lines()
        yield f"END:{self.name}"


class Problems(list[tuple[int, str]]):
    """(line, what is wrong there)."""

    def add(self, line: int, message: str) -> None:
        """Note a problem."""
        self.append((line, message))


def read_tree(data: bytes, problems: Problems) -> list[Component]:
    """The VCALENDAR components of a file; what cannot be read is added to `problems`."""
    text = _decoded(data, problems)
    if text is None:
        return []
    root = Component("", 0)
    open_ones = [root]
    for number, line in _unfolded(text, problems):
        one = read_property(number, line, problems)
        if one is not None:
            _place(one, open_ones, problems)
    for unclosed in open_ones[1:]:
        problems.add(unclosed.line, f"BEGIN:{unclosed.name} has no END")
    if not root.children and not problems:
        problems.add(1, "the file holds no BEGIN:VCALENDAR")
    return root.children


def _decoded(data: bytes, problems: Problems) -> str | None:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.add(data.count(b"\n", 0, error.start) + 1, "is not UTF-8")
        return None


def _unfolded(text: str, problems: Problems) -> Iterator[tuple[int, str]]:
    """(number of the first physical line, logical line); blank lines are left out."""
    number, parts = 0, [""]
    for current, physical in enumerate(_BREAK.split(text), 1):
        if _CONTROL.search(physical):
            problems.add(current, "holds a control character")
            physical = _CONTROL.sub("", physical)
        if physical[:1] in {" ", "\t"} and number:
            parts.append(physical[1:])
            continue
        if number:
            yield number, "".join(parts)
        number, parts = (current, [physical]) if physical.strip() else (0, [""])
    if number:
        yield number, "".join(parts)


def read_property(number: int, line: str, problems: Problems) -> Property | None:
    """One unfolded line; what cannot be read is added to `problems`."""
    from icalendar.parser import Contentline

    library: Any = Contentline
    try:
        name, parameters, value = library(line).raw_parts()
    except ValueError:
        problems.add(number, "is not NAME:value or NAME;PARAMETER=value:value")
        return None
    plain = {
        str(key).upper(): ",".join(given) if isinstance(given, list) else str(given)
        for key, given in parameters.items()
    }
    return Property(name.upper(), plain, value, line, number)


def _place(one: Property, open_ones: list[Component], problems: Problems) -> None:
    current = open_ones[-1]
    if one.name == "BEGIN":
        child = Component(one.value.strip().upper(), one.line)
        if current.name == "" and child.name != "VCALENDAR":
            problems.add(one.line, "a file is made of VCALENDAR components")
        elif len(open_ones) > MAX_DEPTH:
            problems.add(one.line, "components are nested too deep")
        current.children.append(child)
        open_ones.append(child)
    elif one.name == "END":
        if current.name != one.value.strip().upper() or len(open_ones) == 1:
            problems.add(one.line, "END does not close the component that is open here")
        else:
            open_ones.pop()
    elif len(open_ones) == 1:
        problems.add(one.line, "lies outside BEGIN:VCALENDAR and END:VCALENDAR")
    else:
        current.properties.append(one)
