"""Pages for people: the start, the docs with assets of our own, and one for each type of problem."""

from html import escape
from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from service.http.problems import PROBLEM_TYPES, Problem

router = APIRouter(include_in_schema=False)

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


@router.get("/")
async def get_start() -> Response:
    """What this is, and a place to drop a photograph."""
    return HTMLResponse((files("service") / "explorer" / "index.html").read_bytes())


@router.get("/docs")
async def get_docs(request: Request) -> Response:
    """The interface, to read and to try."""
    return get_swagger_ui_html(
        openapi_url=str(request.app.openapi_url),
        title=request.app.title,
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon-32x32.png",
    )


@router.get("/docs/{name}")
async def get_asset(name: str) -> Response:
    """Script, style and icon of the docs, from a package on this machine."""
    if name not in _ASSETS:
        raise Problem("not-found", f"The docs have no {name!r}. Read them at /docs.")
    content = (files("fastapi_swagger") / "resources" / name).read_bytes()
    return Response(content, media_type=_ASSETS[name], headers={"Cache-Control": "max-age=86400"})


@router.get("/problems/{name}")
async def get_problem(name: str) -> Response:
    """What a type of problem means and what to do."""
    kind = PROBLEM_TYPES.get(name)
    if kind is None:
        raise Problem("not-found", f"There is no problem {name!r}. There are {', '.join(PROBLEM_TYPES)}.")
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(kind.title)}</title>"
        f"<h1>{kind.status} {escape(kind.title)}</h1><p>{escape(kind.advice)}</p>"
    )
