"""What the commands print: one line for each thing done, with its duration."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Print one line at once, also when the output is a pipe."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print something that is no failure but should be seen."""
    say(f"  note: {text}")


def complain(text: str) -> None:
    """Print an error to the error stream."""
    print(text, file=sys.stderr, flush=True)


class Step:
    """Handle of a running step; ``detail`` is appended to its closing line."""

    def __init__(self) -> None:
        self.detail = ""


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Print *title* with the time it took, or ``failed`` when it raised."""
    started = time.monotonic()
    handle = Step()
    try:
        yield handle
    except BaseException:
        say(f"  {title}: failed after {time.monotonic() - started:.1f} s")
        raise
    detail = f" ({handle.detail})" if handle.detail else ""
    say(f"  {title}: {time.monotonic() - started:.1f} s{detail}")
