"""A tenant's host."""

from django.apps import apps
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="portal:settings"), name="home"),
    path("settings/", include("apps.portal.urls")),
    path("", include("apps.accounts.urls_root")),
]

# The sample workload, in whose place a vendor includes their own pages.
if apps.is_installed("apps.showcase"):
    urlpatterns.append(path("app/", include("apps.showcase.urls")))
