"""The ASGI application: the API, the web app, and what guards them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from .api import Classify, Counted, Fixed, Health, Models, Only, Ready
from .documents import page
from .guard import Guard
from .offered import offered
from .openapi import document
from .pages import HTML, Pages
from .service import Service
from .settings import Settings
from .site import Site, is_built

_SAMPLE_ADDRESS = "http://127.0.0.1:8000"


def create_app(settings: Settings, *, address: str = _SAMPLE_ADDRESS) -> Starlette:
    """The application of a server, its models open; they are warmed once it is started.

    `address` stands in the examples of its pages. `state.service` is the Service. Raises
    ModelError or UsageError for a model that cannot be served.
    """
    service = Service(settings)
    served = [model.bundle for model in service.models.values()]
    site = Site.of(offered(served)) if is_built() else None
    described = document(settings, list(service.models))
    text = json.dumps(described, indent=1).encode()
    app = Starlette(
        routes=[
            Route("/v1/classify", Only("POST", Classify(service))),
            Route("/v1/models", Only("GET, HEAD", Models(service))),
            Route("/healthz", Only("GET, HEAD", Health())),
            Route("/readyz", Only("GET, HEAD", Ready(service))),
            Route("/metrics", Only("GET, HEAD", Counted(service))),
            Route("/openapi.json", Only("GET, HEAD", Fixed(text, "application/json"))),
            Route("/docs", Only("GET, HEAD", Fixed(page(described, address), HTML))),
        ],
        middleware=[Middleware(Guard, service=service)],
        lifespan=_running,
    )
    app.router.redirect_slashes = False
    app.router.default = Pages(site)  # a route for all paths would leave out what is none, as `*`
    app.state.service = service
    return app


@contextlib.asynccontextmanager
async def _running(app: Starlette) -> AsyncIterator[None]:
    app.state.service.start()
    yield
    app.state.service.stop()
