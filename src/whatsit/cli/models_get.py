"""`whatsit models get`: from a name, an address or a file to a model that can be used by name."""

from __future__ import annotations

from typing import Any

import click

from ..bundle import Bundle
from ..errors import UsageError, WhatsitError
from ..getting import Got, web
from ..getting import get as get_model
from ..getting.download import MAX_BYTES
from . import output, progress
from .options import parse_size


@click.command(no_args_is_help=True)
@click.argument(
    "sources", nargs=-1, required=True, metavar="NAME|URL|FILE...", type=click.UNPROCESSED
)
@click.option("--name", metavar="NAME", help="What to call it.  [default: the name of the file]")
@click.option("--member", metavar="FILE", help="Which file of an archive that holds several.")
@click.option(
    "--labels",
    metavar="FILE",
    help='One class name a line; the word "imagenet" for the 1000 classes of ImageNet.',
)
@click.option("--mean", type=float, metavar="M", help="Taken off each pixel value of 0 to 255 …")
@click.option("--std", type=float, metavar="S", help="… which is then divided by this.")
@click.option(
    "--preprocess",
    metavar="RULE",
    help="How pictures are cut and resized: crop(0.875, bicubic), stretch, pad …",
)
@click.option("--license", metavar="NAME", default="", help="To be written into the model.")
@click.option("--sha256", metavar="HEX", help="What the file must have; refused otherwise.")
@click.option("--offline", is_flag=True, help="Refuse whatever would need a network.")
@click.option("--force", is_flag=True, help="Replace an imported model of the same name.")
@click.option(
    "--max-size",
    "max_bytes",
    callback=parse_size,
    metavar="SIZE",
    help="Refuse larger files.  [default: 1GB]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model.")
def get(
    sources: tuple[str, ...],
    name: str | None,
    member: str | None,
    labels: str | None,
    mean: float | None,
    std: float | None,
    preprocess: str | None,
    license: str,
    sha256: str | None,
    offline: bool,
    force: bool,
    max_bytes: int | None,
    as_json: bool,
) -> int:
    """Import models, so that they can be used by name.

    NAME is one of `whatsit models --all`; URL an https address; FILE a .tflite, or a .zip or
    .tar.gz that holds one, with its labels if they are not inside the model. A model that says all
    that is needed stays as it is, byte for byte; else --labels, --mean, --std and --preprocess say
    it. Each is tried before it is installed, in a process of its own.

    Exit status: 0 if all were imported, 1 if some failed, 2 for wrong usage.
    """
    if len(sources) > 1 and (name or member or sha256):
        raise UsageError(
            f"--name, --member or --sha256 for {len(sources)} models", expected="one model"
        )
    status = 0
    for source in sources:
        try:
            with progress.bar(_title(source), "bytes") as advance:
                got = get_model(
                    source,
                    name=name,
                    member=member,
                    labels=labels,
                    mean=mean,
                    std=std,
                    preprocess=preprocess,
                    license=license,
                    sha256=sha256,
                    offline=offline,
                    force=force,
                    max_bytes=MAX_BYTES if max_bytes is None else max_bytes,
                    progress=advance,
                )
            _print(got, as_json)
        except WhatsitError as error:
            if len(sources) == 1 and not as_json:
                raise
            status = 1
            _print_failure(source, error, as_json)
    return status


def _print(got: Got, as_json: bool) -> None:
    bundle = Bundle.read(got.path)
    side = (bundle.input.height, bundle.input.width)
    if as_json:
        output.print_json(_facts(got, bundle))
        return
    for note in got.notes:
        output.print_note(note)
    state = "imported" if got.new else "already there"
    output.line(
        f"{got.name}  {state}: {len(bundle.data) / 1e6:.1f} MB, {side[0]} × {side[1]}, "
        f"{bundle.output.classes} classes"
    )


def _facts(got: Got, bundle: Bundle) -> dict[str, Any]:
    return {
        "name": got.name,
        "path": str(got.path),
        "new": got.new,
        "source": got.source,
        "size_bytes": len(bundle.data),
        "sha256": bundle.sha256,
        "classes": bundle.output.classes,
        "input": [bundle.input.height, bundle.input.width],
        "preprocess": str(bundle.preprocess),
        "notes": list(got.notes),
    }


def _print_failure(source: str, error: WhatsitError, as_json: bool) -> None:
    if as_json:
        output.print_json({"source": source, "error": error.to_json()})
    else:
        output.print_error(error if _is_named(source, error) else error.about(_shown(source)))


def _is_named(source: str, error: WhatsitError) -> bool:
    """Whether one of several can be told from the others by the message."""
    return any(name in error.message for name in (_shown(source), repr(source)))


def _title(source: str) -> str:
    """The name of the file alone: what follows it in an address may be secret."""
    return source.rpartition("/")[2].partition("?")[0]


def _shown(source: str) -> str:
    return web.shown(source) if "://" in source else source
