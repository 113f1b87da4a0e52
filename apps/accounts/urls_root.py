"""Sign-in, on the operator's host and on each tenant's alike."""

from django.urls import include, path

from apps.accounts.urls import allauth_urlpatterns

urlpatterns = [path("", include("apps.accounts.urls")), *allauth_urlpatterns]
