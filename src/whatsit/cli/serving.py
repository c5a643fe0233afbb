"""The start of a server as a person sees it: where it is, who can reach it, what its key is."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..serve import addresses, certificate, serving
from ..serve.app import create_app
from ..serve.service import Service
from ..serve.settings import Settings
from ..serve.site import is_built
from . import output

if TYPE_CHECKING:
    import socket

_LABEL = 10
_HALF = 16 * 3  # letters of 16 bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen; `files` are a certificate and its key, if the person has them."""

    host: str
    port: int
    https: bool
    files: tuple[Path, Path] | None


def run(settings: Settings, place: Place) -> int:
    """Serves until it is stopped; the exit status."""
    if place.files is not None:
        serving.check_certificate(*place.files)
    listener = serving.listening(place.host, place.port)
    try:
        return _run(settings, place, listener)
    finally:
        listener.close()


def _run(settings: Settings, place: Place, listener: socket.socket) -> int:
    port = listener.getsockname()[1]
    scheme = "https" if place.https else "http"
    everywhere = addresses.is_everywhere(place.host)
    reached = addresses.local_addresses(addresses.families(listener)) if everywhere else []
    here = "localhost" if everywhere else place.host
    address = addresses.url(scheme, here, port)
    app = create_app(settings, address=address)
    service: Service = app.state.service
    files = place.files
    if place.https and files is None:
        made = certificate.own_certificate(reached)
        files = (made.path, made.path)
    _say("serving", address)
    for other in reached:
        _say("", addresses.url(scheme, other, port))
    _say("models", ", ".join(service.models))
    _remarks(settings, place, service)
    if files is not None:
        _show_certificate(files[0], own=place.files is None)
    if place.https and reached:
        _show_code(addresses.url(scheme, reached[0], port))
    serving.log_to_stderr()
    server = serving.server_of(app, certificate=files)
    server.run(sockets=[listener])
    count = service.answered
    _say("stopped", f"{count} picture{'' if count == 1 else 's'} answered")
    return server.status


def _say(label: str, text: str) -> None:
    click.echo(f"{label:<{_LABEL}}{output.printable(text)}", err=True)


def _remarks(settings: Settings, place: Place, service: Service) -> None:
    for model in service.models.values():
        if model.pick is not None:
            output.print_note(model.pick.reason)
        for note in model.bundle.notes:
            output.print_note(f"{model.bundle.name}: {note}")
    if not is_built():
        output.print_note(
            "the web app is not built: / says what to run (`make web`); the API works all the same"
        )
    if addresses.is_local(place.host):
        return
    if not place.https:
        output.print_warning(
            "others in the network can read what is sent here, and phones give this page no "
            "camera: --https encrypts it"
        )
    if settings.api_key is None:
        output.print_warning(
            "everybody who reaches this address can use the API: --api-key-file keeps it to some"
        )


def _show_certificate(path: Path, *, own: bool) -> None:
    shown = certificate.fingerprint(path)
    _say("sha256", shown[:_HALF])  # two lines of it fit 80 columns, as phones show it
    _say("", shown[_HALF:])
    if own:
        output.print_note(
            "this machine vouches for its certificate itself: the phone's browser warns once, and "
            "shows the number above; it may refuse to keep the app for use offline"
        )


def _show_code(address: str) -> None:
    """The address as a QR code, where somebody can point a phone at it."""
    encoding = (getattr(sys.stderr, "encoding", None) or "").lower().replace("-", "")
    if sys.stderr.isatty() and encoding.startswith("utf") and not os.environ.get("NO_COLOR"):
        click.echo(addresses.qr_code(address), err=True)
        _say("phone", address)
