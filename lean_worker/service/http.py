"""Names that moved to `lean_worker.http`, and the key check as a dependency, for services that do not use `protect` yet."""

from typing import Annotated, Any

from fastapi import Header, HTTPException
from starlette.datastructures import Headers

from lean_worker.http import ClientGone, hung_up, is_loopback, listen, read_bytes, read_key, while_connected
from lean_worker.http.access import has_key

__all__ = ["ClientGone", "guard", "hung_up", "is_loopback", "listen", "read_bytes", "read_key", "while_connected"]


def guard(key: str | None) -> Any:
    """Return a dependency that admits requests with the bearer key, or all where there is none."""

    async def allowed(authorization: Annotated[str, Header(include_in_schema=False)] = "") -> None:
        if key is not None and not has_key(Headers({"authorization": authorization}), key):
            raise HTTPException(401, "this service wants `Authorization: Bearer KEY` with its key", {"WWW-Authenticate": "Bearer"})

    return allowed
