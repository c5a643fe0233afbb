"""`whatsit serve`: the web app and the HTTP API."""

from __future__ import annotations

import importlib.util
import math
import os
from pathlib import Path

import click
from click.core import ParameterSource

from ..errors import ExtraMissing, UsageError
from . import output
from .options import parse_size, quantity, runtime_option, threads_option

_NEEDED = (
    "starlette",
    "uvicorn",
    "httptools",
    "python_multipart",
    "prometheus_client",
    "cryptography",
    "segno",
)
_TIMES_S = {"": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0}
_PIXELS = {"": 1.0, "k": 1e3, "m": 1e6, "mp": 1e6}
_OF_EXPORT = ("models", "export", "force")
_KEY_VARIABLE = "WHATSIT_API_KEY"
_LONGEST_KEY_FILE = 4096
_HERE, _EVERYWHERE = "127.0.0.1", "0.0.0.0"


def parse_seconds(context: click.Context, option: click.Parameter, value: str) -> float:
    """30, 30s, 500ms, 1min."""
    return quantity(value, _TIMES_S, option.opts[-1], "a time above 0 such as 30s")


def parse_pixels(context: click.Context, option: click.Parameter, value: str) -> int:
    """25MP, 25M, 25000000."""
    return math.floor(quantity(value, _PIXELS, option.opts[-1], "a number of pixels such as 25MP"))


@click.command()
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FILE",
    help="A model to serve; repeat it for several. The first answers where a request names none.",
)
@click.option("--host", metavar="ADDRESS", help="Listen here.  [default: 127.0.0.1; see --https]")
@click.option(
    "--port", type=int, default=8000, show_default=True, metavar="N", help="0 takes a free one."
)
@click.option(
    "--https",
    is_flag=True,
    help="Encrypted, for phones in your network, which give the camera to no other page. Listens "
    "on all addresses unless --host says otherwise.",
)
@click.option("--cert", type=click.Path(), metavar="FILE", help="Your own certificate (PEM).")
@click.option("--key", type=click.Path(), metavar="FILE", help="Its private key (PEM).")
@click.option(
    "--api-key-file",
    type=click.Path(),
    metavar="FILE",
    help=f"The API is for those who send the key in this file; or in the variable {_KEY_VARIABLE}.",
)
@click.option(
    "--cors", multiple=True, metavar="ORIGIN", help="Let web pages of this origin use the API."
)
@click.option("--workers", type=int, metavar="N", help="Pictures at a time.  [default: the cores]")
@threads_option
@runtime_option
@click.option(
    "--max-bytes",
    callback=parse_size,
    default="20MB",
    show_default=True,
    metavar="SIZE",
    help="Of the body of a request.",
)
@click.option(
    "--max-pixels",
    callback=parse_pixels,
    default="25MP",
    show_default=True,
    metavar="N",
    help="Of one picture.",
)
@click.option(
    "--max-pictures", type=int, default=32, show_default=True, metavar="N", help="Of one request."
)
@click.option(
    "--max-connections", type=int, default=256, show_default=True, metavar="N", help="In all."
)
@click.option(
    "--queue",
    type=int,
    default=64,
    show_default=True,
    metavar="N",
    help="Pictures that may wait; what comes beyond is refused with 429.",
)
@click.option(
    "--timeout",
    "timeout_s",
    callback=parse_seconds,
    default="30s",
    show_default=True,
    metavar="TIME",
    help="For a request to come, and for its answer.",
)
@click.option("--log", is_flag=True, help="A line for each request, on standard error.")
@click.option(
    "--export",
    type=click.Path(),
    metavar="DIR",
    help="Serve nothing: write the web app with these models into a folder, for any web host.",
)
@click.option("--force", is_flag=True, help="Let --export replace an earlier export.")
def command(
    models: tuple[str, ...],
    host: str | None,
    port: int,
    https: bool,
    cert: str | None,
    key: str | None,
    api_key_file: str | None,
    cors: tuple[str, ...],
    workers: int | None,
    threads: int | None,
    runtime: str | None,
    max_bytes: int,
    max_pixels: int,
    max_pictures: int,
    max_connections: int,
    queue: int,
    timeout_s: float,
    log: bool,
    export: str | None,
    force: bool,
) -> int:
    """Serve the web app and the HTTP API.

    The app at / classifies on the device that opens it, camera and all; POST /v1/classify does it
    here. /docs describes the API.

    Ctrl-C or SIGTERM finishes what was accepted, and ends; a second one ends at once. Exit status:
    0 after a stop, 1 if the port cannot be had or a model cannot be run, 2 for wrong usage.
    """
    if export is not None:
        _check_alone(click.get_current_context())
        return _export(export, models, force)
    if force:
        raise UsageError("--force without --export", expected="--export DIR beside it")
    for package in _NEEDED:
        if importlib.util.find_spec(package) is None:
            raise ExtraMissing(
                f"the server needs {package}, which is not installed",
                hint="pip install 'whatsit[serve]'",
            )
    if (cert is None) != (key is None):
        raise UsageError("one of --cert and --key", expected="both of them, or none")
    from ..serve.settings import Limits, Settings

    settings = Settings(
        models=models,
        workers=workers,
        threads=threads,
        runtime=runtime,
        limits=Limits(
            body_bytes=max_bytes,
            pixels=max_pixels,
            pictures=max_pictures,
            queue=queue,
            timeout_s=timeout_s,
            connections=max_connections,
        ),
        api_key=_api_key(api_key_file),
        cors=cors,
        log=log,
    )
    from .serving import Place, run

    secured = https or cert is not None
    files = None if cert is None or key is None else (Path(cert), Path(key))
    if host is None:
        host = _EVERYWHERE if secured else _HERE
    return run(settings, Place(host, port, secured, files))


def _api_key(path: str | None) -> str | None:
    """The key, from the file that was named or from the environment; None without either."""
    if path is None:
        return os.environ.get(_KEY_VARIABLE) or None
    try:
        with open(path, "rb") as file:
            data = file.read(_LONGEST_KEY_FILE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot read the key in {path!r}: {reason}", expected="a file with the key alone in it"
        ) from error
    return data.decode("utf-8", "replace").strip()


def _check_alone(context: click.Context) -> None:
    """Raises UsageError for options that mean nothing where nothing is served."""
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "")
        if given is ParameterSource.COMMANDLINE and option.name not in _OF_EXPORT:
            raise UsageError(
                f"{option.opts[-1]} beside --export",
                expected="--model and --force alone",
                hint="--export writes files and serves nothing",
            )


def _export(folder: str, models: tuple[str, ...], force: bool) -> int:
    """Writes the app with the models that were named, or else with all that there are."""
    from ..classifier import open_bundle
    from ..serve.export import export
    from ..serve.offered import offered
    from ..serve.site import Site

    bundles = [open_bundle(model) for model in models] if models else offered(())
    written = export(Site.of(bundles), folder, force=force)
    size = f"{written.files} files, {written.size_bytes / 1e6:.0f} MB"
    output.line(f"{output.printable(str(written.folder))}: {size}")
    return 0
