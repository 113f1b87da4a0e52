"""A tenant's host."""

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="portal:settings"), name="home"),
    path("settings/", include("apps.portal.urls")),
    path("", include("apps.accounts.urls_root")),
]
