"""The server: the web app and the HTTP API. `whatsit serve` starts it; needs the extra `serve`.

`create_app(settings)` in `app` makes the ASGI application for whoever brings a server of their own.
"""
