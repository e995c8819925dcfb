"""Decomposes an order into blocks: series, forks, and weaves where neither fits.

On the transitive reduction of a graph, vertex series-parallel structure is found by two merges
(Valdes, Tarjan, Lawler 1982): a node and its only follower whose only predecessor it is become a
series; nodes with the same predecessors and followers become a fork. What no merge reaches is cut
into components and segments; a segment that cannot be cut is woven: a minimum path cover of chains,
with a gate before each block that waits for another chain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.workflows.compiler.matching import minimum_path_cover
from tidegate.workflows.graph.algorithms import Adjacency, ancestors, bits


@dataclass(frozen=True, slots=True)
class Leaf:
    """One node. `mask` is the bit mask of the nodes in a block."""

    place: int

    @property
    def mask(self) -> int:
        return 1 << self.place


@dataclass(frozen=True, slots=True)
class Series:
    """Blocks one after the other: each waits for all of the one before."""

    parts: tuple[Block, ...]
    mask: int


@dataclass(frozen=True, slots=True)
class Fork:
    """Blocks side by side, which do not depend on each other."""

    branches: tuple[Block, ...]
    mask: int


@dataclass(frozen=True, slots=True)
class Link:
    """A block in a chain. `waits_for` are the last nodes of other chains that it depends on."""

    block: Block
    waits_for: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Weave:
    """Chains side by side with gates between them."""

    chains: tuple[tuple[Link, ...], ...]
    mask: int


Block = Leaf | Series | Fork | Weave


def decompose(order: Sequence[int], reduced: Adjacency) -> Block:
    """The block of a whole graph. `order` is topological, `reduced` transitively reduced."""
    merged = _Merge(order, reduced)
    merged.run()
    return _split(_Quotient(merged), merged.alive())


def ends(block: Block) -> list[int]:
    """The last nodes of a block, which all of it precedes."""
    if isinstance(block, Leaf):
        return [block.place]
    if isinstance(block, Series):
        return ends(block.parts[-1])
    if isinstance(block, Fork):
        return [place for branch in block.branches for place in ends(branch)]
    return [place for chain in block.chains for place in ends(chain[-1].block)]


def first(block: Block) -> int:
    """One node of a block that no other node of it precedes; a name for the block."""
    while not isinstance(block, Leaf):
        if isinstance(block, Series):
            block = block.parts[0]
        elif isinstance(block, Fork):
            block = block.branches[0]
        else:
            block = block.chains[0][0].block
    return block.place


def series(parts: Sequence[Block]) -> Block:
    """Blocks in a row, flat."""
    flat: list[Block] = []
    for part in parts:
        flat += part.parts if isinstance(part, Series) else (part,)
    return flat[0] if len(flat) == 1 else Series(tuple(flat), _union(flat))


def fork(branches: Sequence[Block]) -> Block:
    """Blocks side by side, flat."""
    flat: list[Block] = []
    for branch in branches:
        flat += branch.branches if isinstance(branch, Fork) else (branch,)
    return flat[0] if len(flat) == 1 else Fork(tuple(flat), _union(flat))


def _union(blocks: Sequence[Block]) -> int:
    mask = 0
    for block in blocks:
        mask |= block.mask
    return mask


class _Merge:
    """Merges nodes while series or twins are found; a merged node lives on under one index."""

    def __init__(self, order: Sequence[int], reduced: Adjacency) -> None:
        count = len(reduced)
        self.order = order
        self.after: list[set[int]] = [set(targets) for targets in reduced]
        self.before: list[set[int]] = [set() for _ in range(count)]
        for source, targets in enumerate(reduced):
            for target in targets:
                self.before[target].add(source)
        self.parts: list[list[Block] | None] = [[Leaf(place)] for place in range(count)]
        self._queue: deque[int] = deque(order)
        self._queued = [True] * count
        self._twins: dict[tuple[frozenset[int], frozenset[int]], int] = {}

    def alive(self) -> list[int]:
        """The nodes left, in topological order."""
        return [place for place in self.order if self.parts[place] is not None]

    def run(self) -> None:
        """Merge until nothing merges; each step shrinks the graph or its queue."""
        while self._queue:
            node = self._queue.popleft()
            self._queued[node] = False
            if self.parts[node] is None:
                continue
            node = self._absorb_chain(node)
            self._join_twin(node)

    def _push(self, node: int) -> None:
        if not self._queued[node]:
            self._queued[node] = True
            self._queue.append(node)

    def _absorb_chain(self, node: int) -> int:
        before = self.before[node]
        if len(before) == 1:
            (source,) = before
            if len(self.after[source]) == 1:
                node = source
        while len(self.after[node]) == 1:
            (target,) = self.after[node]
            if len(self.before[target]) != 1:
                break
            self._append(node, target)
        return node

    def _append(self, node: int, target: int) -> None:
        mine, theirs = self.parts[node], self.parts[target]
        if mine is None or theirs is None:
            raise AssertionError("merged nodes are alive")
        mine += theirs
        self.parts[target] = None
        self.after[node] = self.after[target]
        self.after[target] = set()
        for below in self.after[node]:
            self.before[below].discard(target)
            self.before[below].add(node)
            self._push(below)

    def _join_twin(self, node: int) -> None:
        key = (frozenset(self.before[node]), frozenset(self.after[node]))
        twin = self._twins.get(key)
        if (
            twin is None
            or twin == node
            or self.parts[twin] is None
            or self.before[twin] != self.before[node]
            or self.after[twin] != self.after[node]
        ):
            self._twins[key] = node
            return
        mine, theirs = self.parts[twin], self.parts[node]
        if mine is None or theirs is None:
            raise AssertionError("twins are alive")
        self.parts[twin] = [fork([series(mine), series(theirs)])]
        self.parts[node] = None
        for above in self.before[node]:
            self.after[above].discard(node)
            self._push(above)
        for below in self.after[node]:
            self.before[below].discard(node)
            self._push(below)
        self._push(twin)


class _Quotient:
    """The merged graph: `block` of each node, `above` as bit masks over the same indices."""

    def __init__(self, merged: _Merge) -> None:
        alive = merged.alive()
        self.after = [sorted(targets) for targets in merged.after]
        self.before = [sorted(sources) for sources in merged.before]
        self.above = ancestors(alive, self.after)
        self.block: dict[int, Block] = {
            place: series(parts) for place in alive if (parts := merged.parts[place]) is not None
        }


def _split(quotient: _Quotient, nodes: list[int]) -> Block:
    """The block of some nodes (in topological order) that stand to the rest as one node."""
    if len(nodes) == 1:
        return quotient.block[nodes[0]]
    components = _components(quotient, nodes)
    if len(components) == 1:
        return _cut(quotient, nodes)
    return fork([_cut(quotient, component) for component in components])


def _cut(quotient: _Quotient, nodes: list[int]) -> Block:
    """The block of connected nodes."""
    if len(nodes) == 1:
        return quotient.block[nodes[0]]
    segments = _segments(quotient, nodes)
    if len(segments) == 1:
        return _weave(quotient, nodes)
    return series([_uncut(quotient, segment) for segment in segments])


def _uncut(quotient: _Quotient, nodes: list[int]) -> Block:
    """The block of a segment, which has no cut; its components may have."""
    if len(nodes) == 1:
        return quotient.block[nodes[0]]
    components = _components(quotient, nodes)
    if len(components) == 1:
        return _weave(quotient, nodes)
    return fork([_cut(quotient, component) for component in components])


def _components(quotient: _Quotient, nodes: list[int]) -> list[list[int]]:
    member = set(nodes)
    group: dict[int, int] = {}
    for root in nodes:
        if root in group:
            continue
        stack = [root]
        group[root] = root
        while stack:
            node = stack.pop()
            for others in (quotient.after[node], quotient.before[node]):
                for other in others:
                    if other in member and other not in group:
                        group[other] = root
                        stack.append(other)
    parts: dict[int, list[int]] = {}
    for node in nodes:
        parts.setdefault(group[node], []).append(node)
    return list(parts.values())


def _segments(quotient: _Quotient, nodes: list[int]) -> list[list[int]]:
    """Cut between a prefix and a rest where all of the prefix precedes all of the rest."""
    inside = 0
    for node in nodes:
        inside |= 1 << node
    above = {node: quotient.above[node] & inside for node in nodes}
    ranked = sorted(nodes, key=lambda node: above[node].bit_count())  # stable: stays topological
    common = inside
    needed = [0] * len(ranked)
    for place in range(len(ranked) - 1, -1, -1):
        common &= above[ranked[place]]
        needed[place] = common
    segments: list[list[int]] = []
    prefix, start = 0, 0
    for place, node in enumerate(ranked):
        if place > start and prefix & ~needed[place] == 0:
            segments.append(ranked[start:place])
            start = place
        prefix |= 1 << node
    segments.append(ranked[start:])
    return segments


def _weave(quotient: _Quotient, nodes: list[int]) -> Weave:
    member = set(nodes)
    after = {node: [one for one in quotient.after[node] if one in member] for node in nodes}
    chains: list[tuple[Link, ...]] = []
    for chain in minimum_path_cover(nodes, after):
        links: list[Link] = []
        previous: int | None = None
        for node in chain:
            others = [one for one in quotient.before[node] if one in member and one != previous]
            waits = [place for other in others for place in ends(quotient.block[other])]
            links.append(Link(quotient.block[node], tuple(sorted(waits))))
            previous = node
        chains.append(tuple(links))
    return Weave(tuple(chains), _union([quotient.block[node] for node in nodes]))


def members(block: Block) -> list[int]:
    """The nodes of a block, ascending."""
    return bits(block.mask)
