"""Turns blocks into states, one level of states at a time, back to front."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.workflows.compiler import states
from tidegate.workflows.compiler.blocks import Block, Fork, Leaf, Link, Series, Weave, first
from tidegate.workflows.compiler.levels import STOP, SWALLOW, Counter, Level, Scope
from tidegate.workflows.compiler.plan import Gate, route_token
from tidegate.workflows.graph import ERROR, SKIPPED, Node
from tidegate.workflows.interpreter.rules import retry_policy, timeout_seconds


class LoopEmitter(ABC):
    """What the emitter needs of loops; implemented in loops.py."""

    @abstractmethod
    def emit(self, emitter: Emitter, level: Level, node: Node, catch: str, resume: str) -> str:
        """States of a foreach between its opening and its closing call; gives their entry."""


@dataclass(slots=True)
class Emitter:
    """Emits the blocks of one scope."""

    target: states.Target
    scope: Scope
    counter: Counter
    gate_seconds: int
    loops: LoopEmitter
    _skips: dict[int, dict[str, int]] = field(default_factory=dict)

    def level(self, block: Block, on_failure: str) -> tuple[str, Level]:
        """(entry, level) of a block in a `States` object of its own."""
        level = Level(self.counter, self.target, on_failure)
        return self.sequence(_items(block), level, None), level

    def machine(self, block: Block, finish: str) -> tuple[str, Level]:
        """(entry, level) of a whole machine, which ends with the call that records the result."""
        level = Level(self.counter, self.target, STOP)
        entry = self.sequence(_items(block), level, finish)
        level.states[finish] = states.call(
            self.target, "", "finish", catch=level.stop(), after=None
        )
        return entry, level

    def branch(self, items: Sequence[Link]) -> dict[str, Any]:
        """One branch of a Parallel."""
        level = Level(self.counter, self.target, STOP)
        entry = self.sequence(items, level, None)
        return {"StartAt": entry, "States": level.states}

    def sequence(self, items: Sequence[Link], level: Level, after: str | None) -> str:
        """Emit items one after the other into a level; gives the entry of the first.

        A step that can take several ways is followed by a Choice that jumps over the items that
        this way skips for certain; the step Lambda records those nodes as skipped.
        """
        jumps = self._jumps(items)
        entries: list[str | None] = [*([None] * len(items)), after]
        for place in range(len(items) - 1, -1, -1):
            item = items[place]
            if isinstance(item.block, Fork) and self._chosen(items, jumps, place):
                entries[place] = None  # entered only through the choice before it
                continue
            if isinstance(item.block, Leaf):
                entry = self._leaf(items, jumps.get(place), entries, place, level)
            else:
                entry = self._group(item.block, level, entries[place + 1])
            entries[place] = self._gate(item, level, entry) if item.waits_for else entry
        if entries[0] is None:
            raise AssertionError("a sequence starts with a state")
        return entries[0]

    # Choices

    def _jumps(self, items: Sequence[Link]) -> dict[int, dict[str, int]]:
        """Per leaf with several ways: route -> place of the first item not skipped by it."""
        jumps: dict[int, dict[str, int]] = {}
        for place, item in enumerate(items[:-1]):
            if not isinstance(item.block, Leaf):
                continue
            skips = self._skipped(item.block.place)
            if len(skips) < 3:  # one way and "skipped" need no choice
                continue
            to: dict[str, int] = {}
            for route, dead in skips.items():
                at = place + 1
                while at < len(items) and items[at].block.mask & ~dead == 0:
                    at += 1
                to[route] = at
            jumps[place] = to
        return jumps

    def _skipped(self, place: int) -> dict[str, int]:
        """Route -> mask of the nodes it skips for certain; includes the node's own skipping."""
        flow = self.scope.flow
        if len(flow.handles[place].routes) < 2 and not flow.has_edge(place, ERROR):
            return _ONE_WAY
        known = self._skips.get(place)
        if known is None:
            routes = [*dict.fromkeys(route for _, route in flow.outgoing[place])]
            routes += [route for route in flow.handles[place].routes if route not in routes]
            known = {}
            if len(routes) > 1:
                for route in (*routes, SKIPPED):
                    mask = 0
                    for dead in flow.skipped_by(place, None if route == SKIPPED else route):
                        mask |= 1 << dead
                    known[route] = mask
            self._skips[place] = known
        return known

    def _chosen(
        self, items: Sequence[Link], jumps: dict[int, dict[str, int]], place: int
    ) -> dict[str, tuple[int, ...]]:
        """Route -> live branches of the fork at `place`, when the leaf before it decides them.

        Empty when branches are shared between ways, or when another leaf jumps to the fork.
        """
        before = jumps.get(place - 1)
        block = items[place].block
        if before is None or not isinstance(block, Fork) or items[place].waits_for:
            return {}
        if any(place in to.values() for leaf, to in jumps.items() if leaf != place - 1):
            return {}
        leaf = items[place - 1].block
        if not isinstance(leaf, Leaf):
            return {}
        live = {
            route: tuple(
                index for index, branch in enumerate(block.branches) if branch.mask & ~dead
            )
            for route, dead in self._skipped(leaf.place).items()
        }
        groups = {group for group in live.values() if group}
        if sum(len(group) for group in groups) != len(set().union(*groups)) or len(groups) < 2:
            return {}
        return live

    def _leaf(
        self,
        items: Sequence[Link],
        jump: dict[str, int] | None,
        entries: list[str | None],
        place: int,
        level: Level,
    ) -> str:
        block = items[place].block
        if not isinstance(block, Leaf):
            raise AssertionError("a leaf is emitted as a leaf")
        node = self.scope.flow.graph.nodes[block.place]
        after = entries[place + 1]
        if jump is not None:
            goals = self._goals(items, jump, entries, place, level)
            if len(set(goals.values())) > 1:
                after = self._route_choice(node, goals, level)
            else:
                after = next(iter(goals.values()))
        return self._node(node, level, after)

    def _goals(
        self,
        items: Sequence[Link],
        jump: dict[str, int],
        entries: list[str | None],
        place: int,
        level: Level,
    ) -> dict[str, str | None]:
        """Route -> the state it leads to (None: the end of the level)."""
        following = items[place + 1].block if place + 1 < len(items) else None
        live = self._chosen(items, {place: jump}, place + 1) if following else {}
        if not live or entries[place + 1] is not None or not isinstance(following, Fork):
            return {route: entries[at] for route, at in jump.items()}
        onward = entries[place + 2]
        entry_of: dict[tuple[int, ...], str] = {}
        goals: dict[str, str | None] = {}
        for route, group in live.items():
            if not group:
                goals[route] = entries[jump[route]]
                continue
            if group not in entry_of:
                picked = [following.branches[index] for index in group]
                if len(picked) == 1:
                    entry_of[group] = self.sequence(_items(picked[0]), level, onward)
                else:
                    entry_of[group] = self._fork(picked, level, onward)
            goals[route] = entry_of[group]
        return goals

    def _route_choice(self, node: Node, goals: dict[str, str | None], level: Level) -> str:
        by_goal: dict[str, list[str]] = {}
        for route, goal in goals.items():
            name = goal if goal is not None else level.done()
            by_goal.setdefault(name, []).append(route_token(node, route))
        default = max(by_goal, key=lambda name: len(by_goal[name]))
        rules = [(_route_test(tokens), goal) for goal, tokens in by_goal.items() if goal != default]
        name = f"{self.scope.prefix}{node.id}.route"
        level.states[name] = states.choice(rules, default)
        return name

    # Blocks

    def _group(self, block: Block, level: Level, after: str | None) -> str:
        if isinstance(block, Fork):
            return self._fork(block.branches, level, after)
        if isinstance(block, Weave):
            name = self.counter.name("weave")
            branches = [self.branch(chain) for chain in block.chains]
            level.states[name] = self._parallel(branches, level, after)
            return name
        return self.sequence(_items(block), level, after)

    def _fork(self, branches: Sequence[Block], level: Level, after: str | None) -> str:
        name = self.counter.name("fork")
        emitted = [self.branch(_items(branch)) for branch in branches]
        level.states[name] = self._parallel(emitted, level, after)
        return name

    def _parallel(
        self, branches: list[dict[str, Any]], level: Level, after: str | None
    ) -> states.State:
        state = states.parallel(branches, after)
        if level.on_failure == SWALLOW:
            caught = {"ErrorEquals": ["States.ALL"], "Output": {}, "Next": level.stop()}
            state["Catch"] = [caught]
        return state

    def _gate(self, item: Link, level: Level, entry: str) -> str:
        nodes = self.scope.flow.graph.nodes
        gate_id = nodes[first(item.block)].id
        waits = tuple(nodes[place].id for place in item.waits_for)
        self.scope.gates[gate_id] = Gate(gate_id, waits)
        name = f"{self.scope.prefix}{gate_id}.gate"
        level.states[name] = states.call_and_wait(
            self.target,
            self.scope.step_id(gate_id),
            "gate",
            catch=level.stop(),
            after=entry,
            seconds=self.gate_seconds,
        )
        return name

    # Nodes

    def _node(self, node: Node, level: Level, after: str | None) -> str:
        name = f"{self.scope.prefix}{node.id}"
        step_id = self.scope.step_id(node.id)
        catch = self._catch(node, name, step_id, level, after)
        emit = _SPECIAL.get(node.type)
        if emit is not None and not (node.type == "subworkflow" and node.data.get("wait") is False):
            emit(self, node, name, step_id, level, catch, after)
        else:
            level.states[name] = states.call(
                self.target,
                step_id,
                "run",
                catch=catch,
                after=after,
                seconds=timeout_seconds(node),
                retry=states.retriers(retry_policy(node)),
            )
        return name

    def _catch(self, node: Node, name: str, step_id: str, level: Level, after: str | None) -> str:
        flow = self.scope.flow
        if not flow.has_edge(flow.graph.index[node.id], ERROR):
            return level.failed()
        failed = f"{name}.failed"
        onward = after if after is not None else level.done()
        level.states[failed] = states.failure_call(
            self.target, step_id, catch=level.stop(), after=onward
        )
        return failed

    def approval(
        self, node: Node, name: str, step_id: str, level: Level, catch: str, after: str | None
    ) -> None:
        """One state that waits for the decision, at most until it expires."""
        level.states[name] = states.call_and_wait(
            self.target,
            step_id,
            "run",
            catch=catch,
            after=after,
            seconds=int(node.data.get("expires_in_seconds", 259_200)),
            retry=states.retriers(retry_policy(node), timeouts=False),
        )

    def delay(
        self, node: Node, name: str, step_id: str, level: Level, catch: str, after: str | None
    ) -> None:
        """Ask until when, wait, record."""
        resume = self._resume(node, name, step_id, level, catch, after)
        level.states[f"{name}.wait"] = states.wait(node.data, resume)
        output = {"until": "{% $states.result.Payload.until %}"}
        rules = [('$states.input.route = "wait"', f"{name}.wait")]
        self._open(node, name, step_id, level, catch, after, output, rules)

    def subworkflow(
        self, node: Node, name: str, step_id: str, level: Level, catch: str, after: str | None
    ) -> None:
        """Ask which execution, run it, record."""
        resume = self._resume(node, name, step_id, level, catch, after)
        level.states[f"{name}.child"] = states.child_execution(
            self.target, step_id, catch=catch, after=resume, seconds=timeout_seconds(node)
        )
        output = {
            key: f"{{% $states.result.Payload.{key} %}}" for key in ("machine", "name", "child")
        }
        rules = [('$states.input.route = "child"', f"{name}.child")]
        self._open(node, name, step_id, level, catch, after, output, rules)

    def foreach(
        self, node: Node, name: str, step_id: str, level: Level, catch: str, after: str | None
    ) -> None:
        """Ask how many, run each, record."""
        resume = self._resume(node, name, step_id, level, catch, after)
        entry = self.loops.emit(self, level, node, catch, resume)
        output = {"count": "{% $states.result.Payload.count %}"}
        rules = [('$states.input.route = "items"', entry)]
        self._open(node, name, step_id, level, catch, after, output, rules)

    def _resume(
        self, node: Node, name: str, step_id: str, level: Level, catch: str, after: str | None
    ) -> str:
        resume = f"{name}.resume"
        level.states[resume] = states.call(
            self.target,
            step_id,
            "resume",
            catch=catch,
            after=after,
            seconds=timeout_seconds(node),
        )
        return resume

    def _open(
        self,
        node: Node,
        name: str,
        step_id: str,
        level: Level,
        catch: str,
        after: str | None,
        output: dict[str, str],
        rules: list[tuple[str, str]],
    ) -> None:
        opened = f"{name}.opened"
        level.states[name] = states.call(
            self.target,
            step_id,
            "run",
            catch=catch,
            after=opened,
            seconds=timeout_seconds(node),
            retry=states.retriers(retry_policy(node)),
            output=output,
        )
        default = after if after is not None else level.done()
        level.states[opened] = states.choice(rules, default)


_ONE_WAY: dict[str, int] = {}
_SPECIAL = {
    "approval": Emitter.approval,
    "delay": Emitter.delay,
    "subworkflow": Emitter.subworkflow,
    "foreach": Emitter.foreach,
}


def _items(block: Block) -> list[Link]:
    parts = block.parts if isinstance(block, Series) else (block,)
    return [Link(part, ()) for part in parts]


def _route_test(tokens: Sequence[str]) -> str:
    if len(tokens) == 1:
        return f'$states.input.route = "{tokens[0]}"'
    listed = ", ".join(f'"{token}"' for token in tokens)
    return f"$states.input.route in [{listed}]"
