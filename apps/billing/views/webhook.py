"""Where Stripe delivers its events."""

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.billing import inbox
from apps.billing.errors import BadEvent, BadSignature
from apps.core import clock


@csrf_exempt
@require_POST
@transaction.non_atomic_requests
def receive_event(request: HttpRequest) -> HttpResponse:
    """Store that something changed and answer at once; the work is a job's."""
    body = _bounded_body(request)
    if body is None:
        return HttpResponse("The body is too large.\n", status=413, content_type="text/plain")
    try:
        inbox.receive(body=body, signature=request.headers.get("Stripe-Signature", ""), now=clock.now())
    except (BadSignature, BadEvent) as error:
        return HttpResponse(f"{error}\n", status=400, content_type="text/plain")
    return HttpResponse(status=200)


def _bounded_body(request: HttpRequest) -> bytes | None:
    limit = settings.TENANTRY_WEBHOOK_MAX_BYTES
    body = request.read(limit + 1)
    return body if len(body) <= limit else None
