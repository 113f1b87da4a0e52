"""Refusals in Stripe's words. Contract: docs.stripe.com/api/errors and /error-codes."""

import re

from apps.sandbox.contract import Body


class ApiError(Exception):
    """A request that Stripe would refuse; carries the whole answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.decline_code = decline_code
        self.keeps_changes = False
        """Whether what was done before the refusal stays done: a charge that failed was still an attempt."""

    def body(self) -> Body:
        """Return the answer's body; what there is none of is left out, as Stripe does."""
        error: Body = {"message": self.message, "type": self.kind}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.decline_code:
            error["decline_code"] = self.decline_code
        if self.param:
            error["param"] = self.param
        return {"error": error}


def missing(param: str) -> ApiError:
    """A required parameter is not there."""
    return ApiError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def unknown(param: str) -> ApiError:
    """A parameter that the route does not have."""
    return ApiError(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def not_simulated(param: str) -> ApiError:
    """A parameter that Stripe has and the stand-in does not act on: refused, so that no test passes by silence."""
    message = f"Stripe knows the parameter '{param}' here, but this stand-in does not simulate it."
    return ApiError(message, param=param)


def invalid_integer(*, value: str, param: str) -> ApiError:
    return ApiError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=param)


def invalid_empty(param: str) -> ApiError:
    """An empty value, which in Stripe means "unset", where nothing can be unset."""
    message = (
        f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a field; "
        f"however '{param}' cannot be unset. You should remove '{param}' from your request "
        "or supply a non-empty value."
    )
    return ApiError(message, code="parameter_invalid_empty", param=param)


def exclusive(*, first: str, second: str) -> ApiError:
    message = f"You may only specify one of these parameters: {first}, {second}."
    return ApiError(message, param=second)


def no_such(*, kind: str, id: str, param: str | None = None) -> ApiError:
    """An object that is not there: 404 when the path names it, 400 when parameter `param` does."""
    return ApiError(
        f"No such {kind.rsplit('.', 1)[-1].replace('_', ' ')}: '{id}'",
        status=400 if param else 404,
        code="resource_missing",
        param=param or "id",
    )


def card(message: str, *, code: str, param: str | None = None) -> ApiError:
    """Something is wrong with a card, not with the request."""
    return ApiError(message, status=402, kind="card_error", code=code, param=param)


def declined(decline_code: str) -> ApiError:
    """The bank refused; `decline_code` says why (docs.stripe.com/declines/codes)."""
    reason = "Your card has insufficient funds." if decline_code == "insufficient_funds" else "Your card was declined."
    return ApiError(reason, status=402, kind="card_error", code="card_declined", decline_code=decline_code)


def unknown_route(*, method: str, path: str) -> ApiError:
    message = (
        f"Unrecognized request URL ({method}: {path}). Either Stripe has no such route, "
        "or this stand-in does not simulate it."
    )
    return ApiError(message, status=404)


def no_key() -> ApiError:
    message = (
        "You did not provide an API key. You need to provide your API key in the Authorization header, "
        "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
    )
    return ApiError(message, status=401)


def bad_key(key: str) -> ApiError:
    """The key is named by its first and last characters only."""
    shown = re.sub(r"(?<=.{8}).(?=.{4})", "*", key)
    return ApiError(f"Invalid API Key provided: {shown}", status=401)


def live_key() -> ApiError:
    message = (
        "This is a local stand-in for Stripe, not Stripe: it takes test keys (sk_test_..., rk_test_...) only. "
        "Keep the live key away from it."
    )
    return ApiError(message, status=401)


def idempotency_mismatch(key: str) -> ApiError:
    message = (
        f"Keys for idempotent requests can only be used with the same endpoint and the same parameters they were "
        f"first used with. Try using a key other than '{key}' if you meant to execute a different request."
    )
    return ApiError(message, kind="idempotency_error")


def stranger() -> ApiError:
    """A page in a browser, or a name that somebody pointed at this machine, is speaking."""
    return ApiError("This stand-in answers programs on this machine only.", status=403)


def internal() -> ApiError:
    """A fault of the stand-in itself; the traceback is on its standard error."""
    return ApiError("The stand-in failed; see its standard error.", status=500, kind="api_error")
