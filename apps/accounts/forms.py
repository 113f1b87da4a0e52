"""Allauth's forms where Tenantry's differ."""

from typing import Any

from allauth.account.forms import LoginForm as AllauthLoginForm


class LoginForm(AllauthLoginForm):
    """Sign-in by username or e-mail address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Allauth says `email` as soon as an address is accepted too; password managers file it under `username`.
        self.fields["login"].widget.attrs |= {"autocomplete": "username", "autocapitalize": "none"}
