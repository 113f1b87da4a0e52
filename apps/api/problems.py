"""Errors as problem JSON (RFC 9457)."""

import json
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from apps.api.errors import BadRequest
from apps.core.errors import TenantryError
from apps.entitlements.decisions import Decision, as_document
from apps.entitlements.errors import (
    EntityIsCounted,
    InvalidEntity,
    InvalidTotal,
    LimitReached,
    Refused,
    UnknownEntity,
)
from apps.tenants.errors import TenantNotFound

STATUSES: Mapping[type[TenantryError], HTTPStatus] = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    EntityIsCounted: HTTPStatus.CONFLICT,
    InvalidEntity: HTTPStatus.BAD_REQUEST,
    InvalidTotal: HTTPStatus.BAD_REQUEST,
    TenantNotFound: HTTPStatus.NOT_FOUND,
    UnknownEntity: HTTPStatus.BAD_REQUEST,
}


# gRPC's FailedPrecondition, which its gateways answer with 400.
FAILED_PRECONDITION = 9
NAMESPACE = "pkg/identityserver"
TENANT_ENTITY_LIMIT = "tenant_entity_limit"
ENTITY_LIMIT = "limit for {entity_type} entities in tenant reached, upgrade at {subscription_upgrade_url}"


def problem(status: HTTPStatus, detail: str, **more: Any) -> HttpResponse:
    """An answer that says what was wrong."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, **more}
    return HttpResponse(json.dumps(body, cls=DjangoJSONEncoder), status=status, content_type="application/problem+json")


def refused(decision: Decision) -> HttpResponse:
    """The answer to what the tenant may not do, with the decision."""
    return problem(HTTPStatus.FORBIDDEN, decision.message, decision=as_document(decision))


def limit_reached(decision: Decision) -> HttpResponse:
    """The answer to a row that would be one too many: The Things Stack's error, and a problem with the decision."""
    attributes = {
        "entity_type": decision.feature.removesuffix("s").replace("-", "_"),
        "limit": decision.limit,
        "subscription_upgrade_url": decision.upgrade_url,
    }
    told_by_it = {
        "namespace": NAMESPACE,
        "name": TENANT_ENTITY_LIMIT,
        "message_format": ENTITY_LIMIT,
        "attributes": attributes,
        "correlation_id": uuid.uuid4().hex,
        "code": FAILED_PRECONDITION,
    }
    message = f"error:{NAMESPACE}:{TENANT_ENTITY_LIMIT} ({ENTITY_LIMIT.format(**attributes)})"
    return problem(
        HTTPStatus.BAD_REQUEST,
        decision.message,
        code=FAILED_PRECONDITION,
        message=message,
        details=[told_by_it],
        decision=as_document(decision),
    )


@csrf_exempt
def no_such_address(request: HttpRequest, **parts: Any) -> HttpResponse:
    """The answer to an address that the API does not have."""
    return problem(HTTPStatus.NOT_FOUND, f"The API has no address {request.path}.")


def too_large(limit: int) -> HttpResponse:
    """The answer to a body that is not read for its size."""
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body may have at most {limit} bytes.")


def handle_with(api: NinjaAPI) -> None:
    """Have an API answer its anticipated errors with problems."""
    api.add_exception_handler(TenantryError, _anticipated)
    api.add_exception_handler(Refused, _refused)
    api.add_exception_handler(AuthenticationError, _unauthenticated)
    api.add_exception_handler(HttpError, _http_error)
    api.add_exception_handler(ValidationError, _invalid)


def _anticipated(request: HttpRequest, error: TenantryError | type[TenantryError]) -> HttpResponse:
    status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), None)
    if status is None:
        raise error
    return problem(status, str(error))


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    return limit_reached(error.decision) if isinstance(error, LimitReached) else refused(error.decision)


def _unauthenticated(request: HttpRequest, error: Any) -> HttpResponse:
    told = "is not that of a key in force" if request.headers.get("Authorization") else "is missing"
    answer = problem(
        HTTPStatus.UNAUTHORIZED,
        f"The header Authorization {told}. Send `TenantAdminKey <key>`; `manage.py api_key_create NAME` makes a key.",
    )
    answer["WWW-Authenticate"] = 'TenantAdminKey realm="tenantry"'
    return answer


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    # Ninja says only that a body cannot be parsed; the parser knows why.
    return problem(HTTPStatus(error.status_code), str(error.__cause__ or error))


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(HTTPStatus.BAD_REQUEST, "; ".join(f"{_place(each['loc'])}: {each['msg']}" for each in error.errors))


def _place(where: tuple[object, ...]) -> str:
    """Where in the request it is: ninja names the parameter that takes the body besides."""
    parts = [str(part) for part in where]
    return ".".join(parts[2:]) or "the body" if parts[:2] == ["body", "body"] else ".".join(parts)
