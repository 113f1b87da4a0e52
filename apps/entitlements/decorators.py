"""Views that need a feature.

For Django's views `@requires_feature("sso")`; in a django-ninja operation, or anywhere
else that has a request, `require(request, "sso")`, which returns the decision or raises
`Refused`: the middleware and the API's error handlers answer that.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core import clock
from apps.entitlements.asking import check
from apps.entitlements.decisions import Decision
from apps.entitlements.errors import Refused
from apps.tenants.models import Tenant

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def requires_feature(feature: str, *, requested: Any = 1) -> Callable[[View], View]:
    """Answer a view's requests only for tenants that may use a feature; others get a page, or a problem, with why."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require(request, feature, requested=requested)
            return view(request, *args, **kwargs)

        return cast("View", guarded)

    return decorate


def require(request: HttpRequest, feature: str, *, requested: Any = 1) -> Decision:
    """The decision about a feature for the tenant on whose host a request came.

    Raises:
        Refused: with the decision, when it may not, or the host is no tenant's.
    """
    tenant: Tenant | None = getattr(request, "tenant", None)
    decision = check(tenant=tenant, feature=feature, requested=requested, now=clock.now())
    if not decision.has_access:
        raise Refused(decision)
    return decision
