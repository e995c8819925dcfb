"""How the demo speaks: acts with durations, lines, tables, a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Telling:
    """Prints the story and remembers how long each act took."""

    acts: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def act(self, title: str) -> Iterator[None]:
        """An act: its title before, its duration kept for the end."""
        print(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n== {title}", flush=True)
        started = time.monotonic()
        try:
            yield
        finally:
            self.acts.append((title, time.monotonic() - started))

    def say(self, text: str) -> None:
        """One line."""
        print(f"  {text}", flush=True)

    def progress(self, percent: int, text: str) -> None:
        """A bar that is redrawn on a terminal and printed once a change elsewhere."""
        bar = "#" * (percent // 5)
        end = "\r" if sys.stdout.isatty() and percent < 100 else "\n"
        print(f"  [{bar:<20}] {percent:3d} % {text:<50}", end=end, flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Rows under a head, columns as wide as they need."""
        texts = [[str(cell) for cell in row] for row in (head, *rows)]
        widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
        for index, row in enumerate(texts):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.say("  ".join(cells).rstrip())
            if index == 0:
                self.say("  ".join("-" * width for width in widths))

    def times(self) -> None:
        """How long each act took."""
        print("\n== How long it took", flush=True)
        self.table(["act", "seconds"], [(title, f"{took:.1f}") for title, took in self.acts])
        self.say(f"in all {sum(took for _, took in self.acts):.1f} s")
