"""Reads Cedar text as tokens: where something is, and whether it is too deep to be parsed.

cedarpy reports no positions, and its parser overflows the stack of the process at some 1,000
nested brackets (measured with 4.12.2: a crash, no exception), so depth is checked before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 64
# `resource has a.b.c...` takes time with the square of its length (3,000 parts: 9 s).
MAX_PATH: Final = 16
# Each makes Cedar's JSON form two levels deeper, and Python reads some 1,000 levels.
MAX_OPERATORS: Final = 250
_END = "unexpected end of input"

_TOKEN = re.compile(
    r'(?P<skip>\s+|//[^\n]*)|"(?:\\.|[^"\\\n])*"|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|::|==|!=|<=|>=|&&|\|\||.',
    re.DOTALL,
)
_CHAINED = frozenset({"&&", "||", "+", "-", "*", ".", "[", "if"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True)
class Token:
    """A word of the text; `start` and `end` are offsets in it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class TextProblem:
    """Something wrong in a text; line and column count from 1."""

    line: int
    column: int
    message: str


def tokens_of(text: str) -> list[Token]:
    """The words without spaces and comments; a character that is none is a token of its own."""
    return [
        Token(found[0], found.start(), found.end())
        for found in _TOKEN.finditer(text)
        if found["skip"] is None
    ]


def problem_at(text: str, offset: int, message: str) -> TextProblem:
    """A problem at an offset of the text."""
    before = text[:offset]
    return TextProblem(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, message)


def too_deep(text: str, tokens: Sequence[Token]) -> TextProblem | None:
    """What is nested or chained beyond what the parser bears."""
    depth = path = operators = 0
    for before, token in zip((None, *tokens), tokens, strict=False):
        if token.text in _OPEN:
            depth += 1
        elif token.text in _CLOSE:
            depth -= 1
        if token.text == ".":
            path += 1
        elif before is None or before.text != ".":
            path = 0
        if token.text == ";":
            operators = 0
        elif token.text in _CHAINED:
            operators += 1
        if operators > MAX_OPERATORS:
            message = f"a statement has more than {MAX_OPERATORS} operators"
            return problem_at(text, token.start, message)
        if depth > MAX_DEPTH:
            return problem_at(text, token.start, f"is nested deeper than {MAX_DEPTH} brackets")
        if path > MAX_PATH:
            return problem_at(text, token.start, f"a path has more than {MAX_PATH} parts")
    return None


def parse_problem(
    text: str, tokens: Sequence[Token], parse: Callable[[str], str | None]
) -> TextProblem | None:
    """Where a text stops being Cedar: the last token of the shortest beginning that cannot go on.

    `parse` gives the parser's message, None if the text is Cedar.
    """
    message = parse(text)
    if message is None:
        return None
    if _END in message:
        return problem_at(text, len(text), message)
    low, high = 0, len(tokens)  # a beginning of `low` tokens can go on, one of `high` cannot
    while high - low > 1:
        middle = (low + high) // 2
        said = parse(text[: tokens[middle - 1].end])
        low, high = (middle, high) if said is None or _END in said else (low, middle)
    found = tokens[high - 1] if tokens else None
    if found is not None and found.text == ";":  # found only when the statement was complete
        return problem_at(text, _named_in(tokens, high - 1, message), message)
    return problem_at(text, found.start if found else 0, message)


def _named_in(tokens: Sequence[Token], index: int, message: str) -> int:
    """The offset of the last word of a message in the statement that ends at `index`."""
    word = message.split()[-1].strip("`")
    first = index
    while first > 0 and tokens[first - 1].text != ";":
        first -= 1
    named = (token.start for token in tokens[first:index] if token.text == word)
    return next(named, tokens[first].start)


def statement_tokens(tokens: Sequence[Token], number: int) -> Sequence[Token]:
    """The tokens of the statement with this number, from 0."""
    begin = 0
    for index, token in enumerate(tokens):
        if token.text != ";":
            continue
        if number == 0:
            return tokens[begin : index + 1]
        number, begin = number - 1, index + 1
    return tokens[begin:]
