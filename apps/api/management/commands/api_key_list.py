"""`api_key_list`: the keys to the HTTP API."""

from datetime import datetime
from typing import Any

from apps.api.models import ApiKey
from apps.core.commands import TenantryCommand

SHOWN = ("name", "prefix", "created_at", "created_by", "last_used_at", "revoked_at")


class Command(TenantryCommand):
    help = "Lists the keys to the HTTP API, without their secrets."

    def run(self, **options: Any) -> None:
        keys = list(ApiKey.objects.all())
        if self.as_json:
            self.print_json({"keys": [{field: getattr(key, field) for field in SHOWN} for key in keys]})
        for key in keys:
            self.say(_line(key))
        if not keys:
            self.say("There are no API keys. `manage.py api_key_create NAME` makes one.")


def _line(key: ApiKey) -> str:
    revoked = f", revoked {_moment(key.revoked_at)}" if key.revoked_at else ""
    return (
        f"{key.prefix}  {key.name}: made {_moment(key.created_at)} by {key.created_by}, "
        f"last used {_moment(key.last_used_at)}{revoked}"
    )


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"
