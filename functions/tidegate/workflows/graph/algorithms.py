"""Linear-time graph algorithms over node indices; sets of nodes are int bit masks.

Adjacency is a list of lists: `successors[u]` holds the indices that follow u. Kahn's algorithm is
Kahn, "Topological sorting of large networks", CACM 5(11), 1962.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

Adjacency = Sequence[Sequence[int]]
_ONE = ord("1")


def predecessors_of(successors: Adjacency) -> list[list[int]]:
    """The reversed adjacency."""
    incoming: list[list[int]] = [[] for _ in successors]
    for source, targets in enumerate(successors):
        for target in targets:
            incoming[target].append(source)
    return incoming


def levels(successors: Adjacency) -> tuple[list[int], list[int]]:
    """(order, level): order is topological and leaves out nodes on or behind cycles (level -1)."""
    waiting = [0] * len(successors)
    for targets in successors:
        for target in targets:
            waiting[target] += 1
    order = [node for node, count in enumerate(waiting) if count == 0]
    level = [-1] * len(successors)
    for node in order:
        level[node] = 0
    depth = [0] * len(successors)
    for node in order:  # grows while we walk
        level[node] = depth[node]
        below = depth[node] + 1
        for target in successors[node]:
            depth[target] = max(depth[target], below)
            waiting[target] -= 1
            if waiting[target] == 0:
                order.append(target)
    return order, level


def stable_order(successors: Adjacency) -> list[int]:
    """The topological order that is smallest in definition order (WF-8). Acyclic graphs only."""
    waiting = [0] * len(successors)
    for targets in successors:
        for target in targets:
            waiting[target] += 1
    ready = [node for node, count in enumerate(waiting) if count == 0]
    order: list[int] = []
    while ready:
        node = heapq.heappop(ready)
        order.append(node)
        for target in successors[node]:
            waiting[target] -= 1
            if waiting[target] == 0:
                heapq.heappush(ready, target)
    return order


def reachable(successors: Adjacency, sources: Sequence[int]) -> int:
    """Bit mask of the nodes that can be reached from `sources`, which are included."""
    seen = bytearray(b"0" * len(successors))
    stack = list(sources)
    for node in stack:
        seen[node] = _ONE
    while stack:
        for target in successors[stack.pop()]:
            if seen[target] != _ONE:
                seen[target] = _ONE
                stack.append(target)
    return int(seen[::-1] or b"0", 2)


def ancestors(order: Sequence[int], successors: Adjacency) -> list[int]:
    """Per node, the bit mask of all nodes before it. `order` is topological."""
    above = [0] * len(successors)
    for node in order:
        mask = above[node] | (1 << node)
        for target in successors[node]:
            above[target] |= mask
    return above


def transitive_reduction(order: Sequence[int], successors: Adjacency) -> list[list[int]]:
    """The fewest arcs with the same order: an arc implied by a longer path is dropped."""
    rank = [0] * len(successors)
    for place, node in enumerate(order):
        rank[node] = place
    below = [0] * len(successors)
    reduced: list[list[int]] = [[] for _ in successors]
    for node in reversed(order):
        targets = successors[node]
        covered = 0
        if len(targets) == 1:
            target = targets[0]
            reduced[node].append(target)
            covered = below[target] | (1 << target)
        else:
            # Nearest first: what lies behind a kept target needs no arc of its own.
            for target in sorted(set(targets), key=rank.__getitem__):
                if not covered >> target & 1:
                    reduced[node].append(target)
                    covered |= below[target] | (1 << target)
        below[node] = covered
    return reduced


def cycles(successors: Adjacency) -> list[list[int]]:
    """Strongly connected components of two or more nodes, each sorted; Tarjan 1972, iterative."""
    count = len(successors)
    index = [-1] * count
    low = [0] * count
    on_stack = [False] * count
    stack: list[int] = []
    found: list[list[int]] = []
    clock = 0
    for root in range(count):
        if index[root] != -1:
            continue
        work: list[tuple[int, int]] = [(root, 0)]
        while work:
            node, step = work.pop()
            if step == 0:
                index[node] = low[node] = clock
                clock += 1
                stack.append(node)
                on_stack[node] = True
            targets = successors[node]
            descended = False
            while step < len(targets):
                target = targets[step]
                step += 1
                if index[target] == -1:
                    work.append((node, step))
                    work.append((target, 0))
                    descended = True
                    break
                if on_stack[target]:
                    low[node] = min(low[node], index[target])
            if descended:
                continue
            if low[node] == index[node]:
                component = _popped(stack, on_stack, node)
                if len(component) > 1:
                    found.append(sorted(component))
            if work:
                parent = work[-1][0]
                low[parent] = min(low[parent], low[node])
    return sorted(found)


def _popped(stack: list[int], on_stack: list[bool], last: int) -> list[int]:
    """Take `last` and all that lies on it from the stack."""
    taken: list[int] = []
    while not taken or taken[-1] != last:
        taken.append(stack.pop())
        on_stack[taken[-1]] = False
    return taken


def bits(mask: int) -> list[int]:
    """The members of a bit mask, ascending."""
    members: list[int] = []
    while mask:
        bit = mask & -mask
        members.append(bit.bit_length() - 1)
        mask ^= bit
    return members
