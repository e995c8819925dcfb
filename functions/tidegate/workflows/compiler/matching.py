"""Minimum path cover of a directed acyclic graph by bipartite matching (Hopcroft-Karp 1973)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_FAR = 1 << 60


def minimum_path_cover(nodes: Sequence[int], after: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """The fewest vertex-disjoint paths along arcs that hold every node, in the order of `nodes`.

    Among the minimum covers it takes one with the most arcs into nodes with one predecessor: such
    a node needs no gate when it follows its predecessor, while any other node needs one anyway.
    """
    matching = _Matching(nodes, after)
    matching.seed()
    while matching.layer():
        for node in nodes:
            if node not in matching.next:
                matching.augment(node)
    heads = [node for node in nodes if node not in matching.previous]
    paths: list[list[int]] = []
    for head in heads:
        path = [head]
        while path[-1] in matching.next:
            path.append(matching.next[path[-1]])
        paths.append(path)
    return paths


class _Matching:
    """`next` matches a node's outgoing side, `previous` its incoming side."""

    def __init__(self, nodes: Sequence[int], after: Mapping[int, Sequence[int]]) -> None:
        self._nodes = nodes
        self._after = after
        self.next: dict[int, int] = {}
        self.previous: dict[int, int] = {}
        self._level: dict[int, int] = {}

    def seed(self) -> None:
        """Greedy start. Augmenting keeps matched nodes matched, so the preference survives."""
        degree: dict[int, int] = {}
        for node in self._nodes:
            for target in self._after[node]:
                degree[target] = degree.get(target, 0) + 1
        for only_one in (True, False):
            for node in self._nodes:
                if node in self.next:
                    continue
                for target in self._after[node]:
                    if target not in self.previous and (degree[target] == 1) >= only_one:
                        self._match(node, target)
                        break

    def _match(self, node: int, target: int) -> None:
        self.next[node] = target
        self.previous[target] = node

    def layer(self) -> bool:
        """Breadth-first levels from the unmatched nodes; true when an augmenting path exists."""
        self._level = {node: 0 for node in self._nodes if node not in self.next}
        frontier = list(self._level)
        found = False
        while frontier and not found:
            below: list[int] = []
            for node in frontier:
                for target in self._after[node]:
                    owner = self.previous.get(target)
                    if owner is None:
                        found = True
                    elif owner not in self._level:
                        self._level[owner] = self._level[node] + 1
                        below.append(owner)
            frontier = below
        return found

    def augment(self, root: int) -> bool:
        """One shortest augmenting path from an unmatched node, depth first, without recursion."""
        path: list[tuple[int, int]] = []  # (node, index of the arc being tried)
        node, arc = root, 0
        while True:
            arcs = self._after[node]
            descended = False
            while arc < len(arcs):
                target = arcs[arc]
                owner = self.previous.get(target)
                if owner is None:
                    path.append((node, arc))
                    for one, taken in reversed(path):
                        self._match(one, self._after[one][taken])
                    return True
                if self._level.get(owner, _FAR) == self._level[node] + 1:
                    path.append((node, arc))
                    node, arc = owner, 0
                    descended = True
                    break
                arc += 1
            if descended:
                continue
            self._level[node] = _FAR
            if not path:
                return False
            node, arc = path.pop()
            arc += 1
