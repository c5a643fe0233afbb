"""`whatsit watch`: what comes and goes in a video, on a camera, in a folder that fills up."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .opened import opened
from .options import (
    allow_option,
    deny_option,
    model_option,
    preprocess_option,
    quantity,
    region_option,
    rotate_option,
    runtime_option,
    threads_option,
    top_option,
    trust_options,
    workers_option,
)
from .targets import Targets, model_files

if TYPE_CHECKING:
    from ..smoothing import Smoothing

_TIMES_MS = {"": 1e3, "ms": 1.0, "s": 1e3, "min": 60e3, "h": 3600e3}
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII | re.IGNORECASE)


def _parse_time(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """Milliseconds: 0.5s, 500ms, 10, 2min; None without a value."""
    if value is None:
        return None
    return quantity(value, _TIMES_MS, option.opts[-1], "a time above 0 such as 0.5s or 500ms")


def _parse_size(
    context: click.Context, option: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    match = _SIZE.fullmatch(value.strip())
    if match is None or not (int(match[1]) and int(match[2])):
        raise UsageError(f"--size {value!r}", expected="width and height such as 1280x720")
    return int(match[1]), int(match[2])


# Whether a value makes sense is for the library to say, which says it in our own three lines.
@click.command(no_args_is_help=True)
@click.argument("source", metavar="SOURCE", type=click.UNPROCESSED)
@model_option
@click.option(
    "--every",
    "every_ms",
    callback=_parse_time,
    metavar="TIME",
    help="Look at one frame each TIME only, such as 0.5s.  [default: at all of them]",
)
@click.option(
    "--for",
    "for_ms",
    callback=_parse_time,
    metavar="TIME",
    help="Stop after so much of it, such as 10s or 2min.",
)
@click.option(
    "--save",
    "save_path",
    metavar="FILE",
    help="Also write the frames that were looked at, with the labels drawn on them, as an .mp4.",
)
@click.option(
    "--mirror",
    is_flag=True,
    help="Mirror the pictures of --save, as people know themselves; the model sees them as they "
    "are.",
)
@click.option(
    "--index",
    "index_path",
    metavar="FILE",
    help="Write what appears when as JSON, such as index.json, and print it as a table.",
)
@click.option(
    "--find",
    metavar="TEXT",
    help="Say when TEXT appears, by an index that --index wrote and that is given as SOURCE. TEXT "
    "is a class or a wider term: dog finds each breed.",
)
@click.option(
    "--smooth",
    metavar="TIME|off",
    help="Average scores over about this time; off: each frame for itself.  [default: 0.5s]",
)
@top_option
@click.option(
    "--threshold",
    type=float,
    metavar="P",
    help="A class comes when its average reaches this probability, and goes below half of it.  "
    "[default: 0.3]",
)
@allow_option
@deny_option
@region_option
@rotate_option
@trust_options
@preprocess_option
@runtime_option
@threads_option
@workers_option
@click.option(
    "--live/--no-live",
    default=None,
    help="Look at the newest frame only, or at each.  [default: live, but for files]",
)
@click.option(
    "--format",
    metavar="NAME",
    help="The input format, where it cannot be guessed: x11grab for the screen, lavfi, rawvideo …",
)
@click.option(
    "--size", callback=_parse_size, metavar="WxH", help="Ask a camera for this size: 1280x720."
)
@click.option("--fps", type=float, metavar="N", help="Ask a camera for so many frames a second.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an event.")
def command(
    source: str,
    model: str | None,
    every_ms: float | None,
    for_ms: float | None,
    save_path: str | None,
    mirror: bool,
    index_path: str | None,
    find: str | None,
    smooth: str | None,
    top: int,
    threshold: float | None,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    region: tuple[float, float, float, float] | None,
    rotate: int,
    raw: bool,
    coverage: float,
    acceptance: float,
    preprocess: str | None,
    runtime: str | None,
    threads: int | None,
    workers: int | None,
    live: bool | None,
    format: str | None,
    size: tuple[int, int] | None,
    fps: float | None,
    as_json: bool,
) -> int:
    """Say what comes and goes in a video, on a camera, or in a folder that fills up.

    SOURCE is a video file; a camera: its number, /dev/video0, or video=NAME on Windows and macOS;
    the address of a stream, such as rtsp://… or http://…; - for a video on standard input; or a
    folder, whose pictures are classified as they come. With --find it is an index.

    A file is looked at frame by frame. Of what is live it is always the newest frame; those for
    which there is no time are dropped and counted. A stream that is lost is opened again.

    Exit status: 0 at the end of a file, and for what is live also when Ctrl-C ends it; 130 where
    Ctrl-C ends a file; 1 for a source that cannot be read; 2 for wrong usage.
    """
    from .watching import Wishes, watch_folder, watch_video

    if find is not None:
        from .watch_find import print_found

        return print_found(find, source, as_json)
    folder = os.path.isdir(source)
    levels = _levels(smooth, None if folder else threshold)
    if mirror and save_path is None:
        raise UsageError("--mirror without --save", expected="--save FILE for what is mirrored")
    of_frames: dict[str, Any] = {
        "--every": every_ms,
        "--save": save_path,
        "--index": index_path,
        "--smooth": smooth,
        "--workers": workers,
        "--live": live,
        "--format": format,
        "--size": size,
        "--fps": fps,
    }
    if folder:
        _refuse(source, of_frames)
    _check_targets(Targets(save=save_path, index=index_path), source, model)
    wishes = Wishes(for_ms, save_path, rotate, mirror, index_path, as_json)
    look: dict[str, Any] = {
        "allow": allow,
        "deny": deny,
        "region": region,
        "rotation": rotate,
        "top": top,
        "threshold": threshold or 0.0,
    }
    take: dict[str, Any] = {
        "every_ms": every_ms,
        "until_ms": for_ms,
        "smoothing": levels,
        "workers": workers,
        "live": live,
        "format": format,
        "size": size,
        "fps": fps,
    }
    with opened(
        model,
        threads=threads,
        preprocess=preprocess,
        runtime=runtime,
        raw=raw,
        coverage=coverage,
        acceptance=acceptance,
    ) as classifier:
        if folder:
            return watch_folder(classifier, source, look, wishes)
        return watch_video(classifier, source, look, take, wishes)


def _levels(smooth: str | None, threshold: float | None) -> Smoothing:
    """When a class counts as seen. Raises UsageError."""
    from ..smoothing import Smoothing

    levels = Smoothing() if smooth is None else Smoothing.parse(smooth)
    if threshold is None:
        return levels
    if not 0 < threshold <= 1:
        raise UsageError(
            f"a threshold of {threshold}", expected="a probability above 0 and at most 1"
        )
    return replace(levels, enter=threshold, leave=threshold * levels.leave / levels.enter)


def _refuse(folder: str, of_frames: dict[str, Any]) -> None:
    """Raises UsageError for an option that pictures in a folder have no use for."""
    for option, value in of_frames.items():
        if value is not None:
            raise UsageError(
                f"{option} with the folder {folder!r}",
                expected="a video, a camera or a stream",
                hint="the pictures in a folder are classified one by one",
            )


def _check_targets(targets: Targets, source: str, model: str | None) -> None:
    """Raises, before the long work, what would prevent the files from being written."""
    targets.check()
    targets.spare([source, *model_files([model] if model else [])])
    if targets.save is not None:
        from .. import annotate

        annotate.check(targets.save)
