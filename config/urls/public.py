"""The operator's host."""

from django.urls import include, path
from django.views.generic import RedirectView

from apps.backoffice.site import site

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("operator/", site.urls),
    path("stripe/", include("apps.billing.urls")),
    path("api/v3/", include("apps.api.urls")),
    path("", include("apps.accounts.urls_root")),
]
