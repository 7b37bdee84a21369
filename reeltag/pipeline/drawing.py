"""A plan as people look at it: the graph as a tree, goals on top, with states and costs beside."""

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from reeltag.pipeline.amounts import duration, size
from reeltag.pipeline.planning import Row, RunPlan
from reeltag.pipeline.steps import Node, Step, ordered

_STYLES = {"done": "green", "partly": "yellow", "to do": "bold", "not needed": "dim"}


def drawn(plan: RunPlan) -> Table:
    """Return the graph as a table; a step that several need is drawn once and then referred to.

    What needs only steps that stand above is one line, with their numbers; data are drawn once.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("step", no_wrap=True)
    table.add_column("state")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    rows = {row.step.folder_name: row for row in plan.rows}
    shown: set[str] = set()
    for goal in plan.goals:
        for lead, node in _lines(goal, shown, "", ""):
            _add(table, lead, node, rows, shown)
            shown.add(node.readable())
    return table


def summary(plan: RunPlan, workers: int = 1) -> str:
    """Return the totals of a plan, made by so many workers, as a sentence."""
    states = [row.state for row in plan.rows]
    partly, to_do = states.count("partly"), states.count("to do")
    if not partly + to_do:
        return "All that is needed is there."
    text = f"{states.count('done')} of {len(states)} steps are done"
    text += f", {partly} partly" if partly else ""
    if plan.unknown == partly + to_do:
        text += f"; to do: {plan.unknown} of unknown length"
    else:
        text += f"; to do: about {duration(plan.seconds)}"
        if workers > 1:
            text += f" of work, {duration(plan.seconds_on(workers))} on {workers} workers"
    text += f", {size(plan.bytes)}"
    if 0 < plan.unknown < partly + to_do:
        text += f", and {plan.unknown} of unknown length"
    if plan.bytes > plan.free:
        text += f". The disk has only {size(plan.free)} left"
    return f"{text}."


def _lines(node: Node, shown: set[str], first: str, rest: str) -> Iterator[tuple[str, Node]]:
    """Yield node and, below it, what it needs, each with the branches of the tree before it."""
    again = node.readable() in shown
    yield first, node
    if again or not isinstance(node, Step) or _all_above(node, shown):
        return
    below = {of.readable() for step in node.needs if isinstance(step, Step) for of in ordered(step)}
    data = shown | below  # drawn above, or deeper down
    needs = [of for of in node.needs if isinstance(of, Step) or of.readable() not in data]
    for at, before in enumerate(needs):
        last = at == len(needs) - 1
        branch, trunk = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _lines(before, shown, rest + branch, rest + trunk)


def _all_above(step: Step, shown: set[str]) -> bool:
    """Return whether all that a step needs is drawn already."""
    return all(of.readable() in shown for of in step.needs)


def _add(table: Table, lead: str, node: Node, rows: dict[str, Row], shown: set[str]) -> None:
    if not isinstance(node, Step):
        table.add_row(f"{lead}[cyan]{escape(node.name)}[/]", "given", "", "")
        return
    row = rows[node.folder_name]
    name = f"{lead}{row.number} {escape(node.name)}"
    if node.readable() in shown:
        table.add_row(f"[dim]{name} (above)[/]", "", "", "")
        return
    needs = [rows[of.folder_name].number for of in row.step.needs if isinstance(of, Step)]
    if needs and _all_above(row.step, shown):
        name += f" [dim]of {', '.join(map(str, sorted(needs)))}[/]"
    style, about = _STYLES[row.state], "" if row.basis == "measured" else "~ "
    state = f"[{style}]{row.state}[/]" + (f" ({escape(row.holder)})" if row.holder else "")
    seconds = "?" if row.seconds is None else about + duration(row.seconds)
    bytes_ = "?" if row.bytes is None else about + size(row.bytes)
    table.add_row(name, state, seconds, bytes_)
