"""A lifecycle as a picture: SVG text that stands alone, is readable on light and dark, and says what it shows."""

from __future__ import annotations

from html import escape
from typing import Any, Final, Protocol

from services.order.workflow.layout import HEIGHT, MARGIN, WIDTH, Edge, Layout, arrange
from services.order.workflow.lifecycle import Delay, Lifecycle, Transition, Who

ROW = 20
COLUMN = 400
# Fill and border of a state by its phase; dark text on each has a contrast above 7:1 in light, light text in dark.
_LIGHT = {
    "approval": ("#fef3c7", "#b45309"),
    "pending": ("#e0f2fe", "#0369a1"),
    "preparing": ("#ede9fe", "#6d28d9"),
    "in_transit": ("#e0e7ff", "#4338ca"),
    "completed": ("#dcfce7", "#15803d"),
    "canceled": ("#f3f4f6", "#4b5563"),
}
_DARK = {
    "approval": ("#451a03", "#fbbf24"),
    "pending": ("#082f49", "#38bdf8"),
    "preparing": ("#2e1065", "#a78bfa"),
    "in_transit": ("#1e1b4b", "#818cf8"),
    "completed": ("#052e16", "#4ade80"),
    "canceled": ("#1f2937", "#9ca3af"),
}


class Wording(Protocol):
    """The language of a picture."""

    def label(self, text: str) -> str:
        """A label of a lifecycle."""

    def tr(self, text: str, **values: Any) -> str:
        """A text of the picture's own, with its %(names)s filled in."""


class _English:
    def label(self, text: str) -> str:
        return text

    def tr(self, text: str, **values: Any) -> str:
        return text % values


_ENGLISH: Final = _English()


def N_(text: str) -> str:  # the usual name of the mark
    """Marks a text for translation."""
    return text


_ROLES: Final = (
    N_("buyer"), N_("seller"), N_("operator"), N_("member"), N_("admin"), N_("approver"), N_("channel"), N_("clock"),
    N_("service"),
)  # fmt: skip


def draw(lifecycle: Lifecycle, words: Wording = _ENGLISH) -> str:
    """The diagram as one SVG document (UTF-8 text, no script, nothing loaded)."""
    layout = arrange(lifecycle)
    legend = _legend(lifecycle, words)
    columns = max(1, int((layout.width - MARGIN) // COLUMN))
    rows = -(-len(legend) // columns)
    width = max(layout.width, 2 * MARGIN + COLUMN)
    height = layout.height + rows * ROW + 2 * MARGIN
    title = words.tr("Lifecycle %(title)s", title=lifecycle.title)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-labelledby="title desc" font-family="system-ui, sans-serif">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(_description(lifecycle, words))}</desc>',
        _style(),
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path class="tip" d="M0 0 8 4 0 8z" fill="#4b5563"/></marker></defs>',
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}" rx="8" fill="#ffffff"/>',
        *(_arrow(e) for e in layout.edges),
        *(_state(lifecycle, layout, name, words) for name in lifecycle.states),
        *(_number(e) for e in layout.edges),
        *_legend_lines(legend, layout.height + MARGIN / 2, columns, rows),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _style() -> str:
    rules = [
        ".paper{fill:#0b0f19}.ink{fill:#f3f4f6}.line{stroke:#9ca3af}.tip{fill:#9ca3af}",
        ".mark{fill:#0b0f19;stroke:#9ca3af}",
        *(f".{phase}{{fill:{fill};stroke:{edge}}}" for phase, (fill, edge) in _DARK.items()),
    ]
    return f"<style>@media (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"


def _state(lifecycle: Lifecycle, layout: Layout, name: str, words: Wording) -> str:
    state, box = lifecycle.states[name], layout.boxes[name]
    label = words.label(state.label)
    fill, edge = _LIGHT[state.phase]
    x, y = box.middle
    width = 3 if state.final else 1.5
    size = 13 if len(label) <= 20 else 11
    # the red mark of "completed after dispute" is a ring, so that it is seen without colour as well
    mark = (
        f'<circle cx="{box.x + WIDTH - 12:.0f}" cy="{box.y + 12:.0f}" r="5" fill="none" stroke="#dc2626" '
        'stroke-width="2.5"/>'
        if state.mark
        else ""
    )
    return (
        f'<g><rect class="{state.phase}" x="{box.x:.0f}" y="{box.y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="10" '
        f'fill="{fill}" stroke="{edge}" stroke-width="{width}"/>'
        f'<text class="ink" x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" font-size="{size}" font-weight="600" '
        f'fill="#111827">{escape(label)}</text>{mark}</g>'
    )


def _arrow(edge: Edge) -> str:
    (a, b), (c, d), (e, f), (g, h) = edge.curve
    return (
        f'<path class="line" d="M{a:.0f} {b:.0f}C{c:.0f} {d:.0f} {e:.0f} {f:.0f} {g:.0f} {h:.0f}" fill="none" '
        'stroke="#4b5563" stroke-width="1.5" marker-end="url(#tip)"/>'
    )


def _number(edge: Edge) -> str:
    text = ",".join(str(n) for n in edge.numbers)
    x, y = edge.mark
    width = 12 + 7 * len(text)
    return (
        f'<g><rect class="mark" x="{x - width / 2:.0f}" y="{y - 9:.0f}" width="{width}" height="18" rx="9" '
        'fill="#ffffff" stroke="#4b5563"/>'
        f'<text class="ink" x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" font-size="11" fill="#111827">'
        f"{text}</text></g>"
    )


def _legend(lifecycle: Lifecycle, words: Wording) -> list[str]:
    moving = [t for t in lifecycle.transitions if t.to]
    return [f"{n}  {words.label(t.label)}: {_by(t, words)}" for n, t in enumerate(moving, 1)]


def _by(transition: Transition, words: Wording) -> str:
    if transition.auto:
        return words.tr("by itself")
    return ", ".join(dict.fromkeys(_name(w, transition, words) for w in transition.who))


def _name(who: Who, transition: Transition, words: Wording) -> str:
    if who.role == "clock" and transition.after is not None:
        return words.tr("clock after %(span)s", span=_span(transition.after, words))
    role = words.tr(who.role)
    name = words.tr("%(role)s who placed it", role=role) if who.placer else role
    return words.tr("%(who)s if %(setting)s", who=name, setting=who.setting) if who.setting else name


def _span(delay: Delay, words: Wording) -> str:
    if delay.setting:
        return delay.setting
    if delay.days:
        return words.tr("%(count)s days", count=delay.days)
    return words.tr("%(count)s hours", count=delay.hours)


def _legend_lines(legend: list[str], top: float, columns: int, rows: int) -> list[str]:
    lines = []
    for i, text in enumerate(legend):
        x = MARGIN + (i // rows) * COLUMN if columns > 1 else MARGIN
        y = top + (i % rows + 1) * ROW
        lines.append(f'<text class="ink" x="{x:.0f}" y="{y:.0f}" font-size="12" fill="#111827">{escape(text)}</text>')
    return lines


def _description(lifecycle: Lifecycle, words: Wording) -> str:
    """Every state with where it leads, for whoever cannot see the picture."""
    labels = {n: words.label(s.label) for n, s in lifecycle.states.items()}
    ending, nowhere = words.tr("An order may end here."), words.tr("nothing follows")
    said = []
    for name, state in lifecycle.states.items():
        ways = [
            words.tr(
                "%(what)s (%(who)s) to %(state)s", what=words.label(t.label), who=_by(t, words), state=labels[x.state]
            )
            for ts in (*lifecycle.actions[name].values(), lifecycle.automatic[name])
            for t in ts
            for x in t.to
            if x.state != name
        ]
        follows = "; ".join(dict.fromkeys(ways)) or nowhere
        said.append(f"{labels[name]}: {follows}.{f' {ending}' if state.final else ''}")
    return f"{lifecycle.document.summary} {' '.join(said)}"
