"""A plan as a table: the graph as a tree, goals on top, each step with its state and cost."""

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from reeltag.core.formatting import format_duration, format_size
from reeltag.pipeline.planning import PlannedStep, RunPlan
from reeltag.pipeline.steps import Node, Step, ordered

_STYLES = {"done": "green", "partial": "yellow", "to do": "bold", "not needed": "dim"}


def plan_table(plan: RunPlan) -> Table:
    """Return the graph as a table; a step that several need is expanded once and then referred to.

    A step whose inputs are all above is one line, with their numbers; data are shown once.
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
            shown.add(node.label())
    return table


def format_summary(plan: RunPlan, workers: int = 1) -> str:
    """Return the totals of a plan, run by so many workers, as a sentence."""
    states = [row.state for row in plan.rows]
    partial, to_do = states.count("partial"), states.count("to do")
    if not partial + to_do:
        return "All steps are done."
    text = f"{states.count('done')} of {len(states)} steps are done"
    text += f", {partial} partial" if partial else ""
    if plan.unknown == partial + to_do:
        text += f"; to do: {plan.unknown} of unknown length"
    else:
        text += f"; to do: about {format_duration(plan.seconds)}"
        if workers > 1:
            text += f" of work, {format_duration(plan.seconds_on(workers))} on {workers} workers"
    text += f", {format_size(plan.bytes)}"
    if 0 < plan.unknown < partial + to_do:
        text += f", and {plan.unknown} of unknown length"
    if plan.bytes > plan.free:
        text += f". The disk has only {format_size(plan.free)} left"
    return f"{text}."


def _lines(node: Node, shown: set[str], first: str, next_: str) -> Iterator[tuple[str, Node]]:
    """Yield a node and the inputs below it, each with the branches of the tree in front of it."""
    again = node.label() in shown
    yield first, node
    if again or not isinstance(node, Step) or _all_above(node, shown):
        return
    below = {of.label() for step in node.needs if isinstance(step, Step) for of in ordered(step)}
    data = shown | below  # shown above, or further down
    needs = [of for of in node.needs if isinstance(of, Step) or of.label() not in data]
    for at, before in enumerate(needs):
        last = at == len(needs) - 1
        branch, trunk = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _lines(before, shown, next_ + branch, next_ + trunk)


def _all_above(step: Step, shown: set[str]) -> bool:
    """Return whether all inputs of a step are shown already."""
    return all(of.label() in shown for of in step.needs)


def _add(
    table: Table, lead: str, node: Node, rows: dict[str, PlannedStep], shown: set[str]
) -> None:
    if not isinstance(node, Step):
        table.add_row(f"{lead}[cyan]{escape(node.name)}[/]", "data", "", "")
        return
    row = rows[node.folder_name]
    name = f"{lead}{row.number} {escape(node.name)}"
    if node.label() in shown:
        table.add_row(f"[dim]{name} (above)[/]", "", "", "")
        return
    needs = [rows[of.folder_name].number for of in row.step.needs if isinstance(of, Step)]
    if needs and _all_above(row.step, shown):
        name += f" [dim]of {', '.join(map(str, sorted(needs)))}[/]"
    style, about = _STYLES[row.state], "" if row.basis == "measured" else "~ "
    state = f"[{style}]{row.state}[/]" + (f" ({escape(row.holder)})" if row.holder else "")
    seconds = "?" if row.seconds is None else about + format_duration(row.seconds)
    bytes_ = "?" if row.bytes is None else about + format_size(row.bytes)
    table.add_row(name, state, seconds, bytes_)
