"""What comes and goes in a video, as lines and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wording import counted, percent
from . import output
from .summary import class_name, print_table

if TYPE_CHECKING:
    from ..events import Event, Index, Segment

_SHOWN_CLASSES = 30
_SHOWN_TIMES = 4  # of one class: more would fill the screen, and the file has them all


def clock(time_ms: float) -> str:
    """A time as `0:01.2`, or `1:02:03.4` from an hour on."""
    minutes, tenths = divmod(round(time_ms / 100), 600)
    hours, minutes = divmod(minutes, 60)
    before = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{before}:{tenths / 10:04.1f}"


def event_line(event: Event) -> str:
    """A class that has come, since when, or has gone, and how it was seen meanwhile."""
    seen = event.segment
    label = output.printable(seen.label)
    if event.kind == "start":
        return f"{clock(seen.start_ms):>9}  start  {label}  {percent(event.score, 0)}"
    return f"{clock(seen.end_ms):>9}  end    {label}  {_how(seen)}"


def segment_line(seen: Segment) -> str:
    """From when to when a class was there, and how it was seen meanwhile."""
    label = output.printable(seen.label)
    return f"{clock(seen.start_ms):>9} – {clock(seen.end_ms):<9} {label}  {_how(seen)}"


def print_index(index: Index, path: str) -> None:
    """What appears when, the classes that are seen longest first."""
    console = output.console()
    frames = counted(index.frames, "frame")
    console.print(f"{output.printable(index.source)}: {clock(index.duration_ms)}, {frames}")
    if not index.labels:
        console.print("\nNothing was seen for long enough to be told.")
    else:
        rows = [
            (
                class_name(seen.label),
                f"{seen.total_ms / 1e3:,.1f} s",
                _times([segment for segment in index.segments if segment.index == seen.index]),
            )
            for seen in index.labels[:_SHOWN_CLASSES]
        ]
        print_table(console, ("class", "in all", "from – to"), rows)
    rest = len(index.labels) - _SHOWN_CLASSES
    if rest > 0:
        console.print(f"… and {counted(rest, 'more class', 'more classes')}")
    console.print(f"\nAll of it is in {output.printable(path)}", style="dim")


def _times(segments: list[Segment]) -> str:
    """When these were seen."""
    shown = [f"{clock(s.start_ms)} – {clock(s.end_ms)}" for s in segments[:_SHOWN_TIMES]]
    rest = len(segments) - len(shown)
    return "\n".join([*shown, *([f"… {counted(rest, 'more time')}"] if rest else [])])


def _how(seen: Segment) -> str:
    """How sure, and for how long."""
    return f"{percent(seen.mean_score, 0)} over {seen.duration_ms / 1e3:.1f} s"
