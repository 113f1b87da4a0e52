"""The pages of a tenant's own host."""

from django.urls import path

from apps.portal import views

app_name = "portal"

urlpatterns = [
    path("", views.settings, name="settings"),
    path("limits/", views.limits, name="limits"),
    path("credits/", views.credits, name="credits"),
    path("usage/", views.usage, name="usage"),
    path("my-data/", views.my_data, name="my_data"),
]
