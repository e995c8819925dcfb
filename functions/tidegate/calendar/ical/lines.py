"""An iCalendar file as a tree of components whose every property knows its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPE = re.compile(r"\\([\\;,nN])")
_FOREIGN = re.compile(r"(X-[A-Za-z0-9-]{1,100})[;:=]", re.ASCII)
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
        return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], self.value)


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
    root = Component("", 0)
    open_ones = [root]
    for parts in _unfolded(data.removeprefix(b"\xef\xbb\xbf")):
        line = _decoded(parts, problems)
        one = read_property(parts[0][0], line, problems) if line is not None else None
        if one is not None:
            _place(one, open_ones, problems)
    for unclosed in open_ones[1:]:
        problems.add(unclosed.line, f"BEGIN:{unclosed.name} has no END")
    if not root.children and not problems:
        problems.add(1, "the file holds no BEGIN:VCALENDAR")
    return root.children


def _unfolded(data: bytes) -> Iterator[list[tuple[int, bytes]]]:
    """Logical lines as (number, octets) of their physical lines; blank ones are left out.

    Octets, because old producers fold in the middle of a character.
    """
    parts: list[tuple[int, bytes]] = []
    for number, physical in enumerate(data.split(b"\n"), 1):
        physical = physical.removesuffix(b"\r")
        if physical[:1] in {b" ", b"\t"} and parts:
            parts.append((number, physical[1:]))
            continue
        if parts:
            yield parts
        parts = [(number, physical)] if physical.strip() else []
    if parts:
        yield parts


def _decoded(parts: list[tuple[int, bytes]], problems: Problems) -> str | None:
    try:
        line = b"".join(octets for _, octets in parts).decode()
    except UnicodeDecodeError as error:
        problems.add(_at(parts, error.start), "is not UTF-8")
        return None
    found = _CONTROL.search(line)
    if found is not None:
        octets = len(line[: found.start()].encode())
        problems.add(_at(parts, octets), "holds a control character")
        return None
    return line


def _at(parts: list[tuple[int, bytes]], position: int) -> int:
    """The physical line of an octet of a logical line."""
    for number, octets in parts:
        if position < len(octets):
            return number
        position -= len(octets)
    return parts[-1][0]


def read_property(number: int, line: str, problems: Problems) -> Property | None:
    """One unfolded line; what cannot be read is added to `problems`."""
    from icalendar.parser import Contentline

    library: Any = Contentline
    try:
        name, parameters, value = library(line).raw_parts()
    except ValueError:
        foreign = _FOREIGN.match(line)
        if foreign is not None:  # a vendor's own property is kept as it is, whatever it holds
            return Property(foreign[1].upper(), {}, "", line, number) if ":" in line else None
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
