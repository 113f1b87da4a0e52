"""The HTTP API, on the operator's host."""

from django.urls import URLPattern, re_path
from ninja import NinjaAPI

from apps.api import problems
from apps.api.authentication import OperatorKey
from apps.api.framing import framed
from apps.api.parsing import StrictParser
from apps.api.registry_totals import router

api = NinjaAPI(
    title="Tenantry",
    version="3",
    auth=OperatorKey(),
    parser=StrictParser(),
    openapi_url=None,
    docs_url=None,
    urls_namespace="api",
)
problems.handle_with(api)
api.add_router("", router)

# The root address is one of ninja's own, with nothing behind it.
addresses = [each for each in api.urls[0] if isinstance(each, URLPattern) and each.name != "api-root"]
urlpatterns = framed([*addresses, re_path(r"", problems.no_such_address)])
