"""The one-time link, and those of allauth's pages that Tenantry has.

Signing up and managing addresses are not among them: nobody makes an account by
themselves, and allauth's confirmation links do not carry the tenant.
"""

from allauth.account import views as allauth
from django.urls import path, re_path

from apps.accounts import views

app_name = "accounts"
urlpatterns = [
    path("welcome/<str:user_key>/<str:token>/", views.welcome, name="welcome"),
]

allauth_urlpatterns = [
    path("accounts/login/", allauth.login, name="account_login"),
    path("accounts/logout/", allauth.logout, name="account_logout"),
    path("accounts/inactive/", allauth.account_inactive, name="account_inactive"),
    path("accounts/reauthenticate/", allauth.reauthenticate, name="account_reauthenticate"),
    path("accounts/password/change/", allauth.password_change, name="account_change_password"),
    path("accounts/password/reset/", allauth.password_reset, name="account_reset_password"),
    path("accounts/password/reset/done/", allauth.password_reset_done, name="account_reset_password_done"),
    # As allauth has it: the user's key ends at the first dash, the token has one of its own.
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)/$",
        allauth.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/key/done/",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
