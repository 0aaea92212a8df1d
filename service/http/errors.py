"""What routes do not answer themselves: errors of theirs, of the framework, and paths that there are not."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from service.http.options import problem_of_params
from service.http.problems import Problem


def answer_errors(app: FastAPI) -> None:
    """Answer every error as a problem; what nobody foresaw is caught by `RequestContext`."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.to_response(request.state.request_id)

    async def on_options(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_of_params(error.errors(), ()).to_response(request.state.request_id)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _problem_of_http(request, error).to_response(request.state.request_id)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_options)
    app.add_exception_handler(HTTPException, on_http)


def _problem_of_http(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 405:
        allowed = ", ".join(sorted(_methods(request)))
        detail = f"{request.url.path} does not take {request.method}, it takes {allowed}."
        return Problem("method-not-allowed", detail, headers={"Allow": allowed})
    if error.status_code == 404:
        return Problem("not-found", f"There is no {request.url.path}. The start page / tells what there is.")
    return Problem("internal-error", "The service failed; its log has this request's id.")


def _methods(request: Request) -> set[str]:
    """Methods of all routes at a path; the framework names those of the first."""
    return {
        method
        for route in request.app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", ())
    }
