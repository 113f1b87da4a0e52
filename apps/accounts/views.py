"""The one-time link: choose a password and be signed in."""

import uuid

from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlsafe_base64_decode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from apps.accounts.models import User
from apps.accounts.tokens import link_tokens

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@never_cache
@sensitive_post_parameters()
@transaction.atomic
def welcome(request: HttpRequest, user_key: str, token: str) -> HttpResponse:
    """Let the holder of a fresh one-time link choose a password, and sign them in."""
    user = _user_of(user_key)
    if user is None or not user.is_active or not link_tokens.check_token(user, token):
        return render(request, "accounts/link_expired.html", status=410)
    form = SetPasswordForm(user, request.POST or None)
    if not form.is_valid():
        return render(request, "accounts/welcome.html", {"form": form, "user_to_be": user})
    form.save()
    login(request, user, backend=BACKEND)
    return redirect("home")


def _user_of(user_key: str) -> User | None:
    try:
        key = uuid.UUID(bytes=urlsafe_base64_decode(user_key))
    except ValueError:
        return None
    # Locked, or two who use the link at the same moment would both find it fresh.
    return User.objects.select_for_update(no_key=True).filter(pk=key).first()
