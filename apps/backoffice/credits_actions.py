"""What an operator does about a tenant's credits."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import Http404
from django.urls import reverse
from django.utils.functional import cached_property

from apps.backoffice.credits_forms import AdjustForm, EndGrantForm, GrantForm
from apps.backoffice.credits_page import wallets_of
from apps.backoffice.tenant_actions import TenantAction
from apps.core import clock
from apps.core.errors import IdempotencyKeyReused
from apps.credits.models import Grant
from apps.credits.types import ORDINARY_PRIORITY, Category, Granted, LiveGrant, Outcome
from apps.entitlements import wallets
from apps.plans import gathering
from apps.plans.terms import Kind

Facts = list[tuple[str, Any]]


class CreditsAction(TenantAction):
    """Shows how things are before anything is done, and leads back to the tab of credits."""

    template_name = "backoffice/action_with_facts.html"

    @property
    def wallet(self) -> str:
        """The wallet that it is about; empty: it is not known yet."""
        return str(self.request.POST.get("wallet") or self.request.GET.get("wallet", ""))

    def facts(self) -> Facts:
        """What is told beside the form: numbers, moments and words, each with its name."""
        return [(f"{each.entitlement.name} now", each.balance.amount) for each in self._wallets()]

    def _wallets(self) -> Any:
        return wallets_of(self.tenant, now=clock.now())

    def get_success_url(self) -> str:
        page = reverse("admin:tenant_credits", args=[self.tenant.pk])
        return f"{page}?{urlencode({'wallet': self.wallet})}" if self.wallet else page

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(facts=self.facts(), **kwargs)


class WalletAction(CreditsAction):
    """Something about a wallet that counts once, however often its form is sent."""

    def get_form_kwargs(self) -> dict[str, Any]:
        several = [each for each in gathering.features().values() if each.kind == Kind.CREDITS]
        return {**super().get_form_kwargs(), "wallets": several}

    def get_initial(self) -> dict[str, Any]:
        return {"wallet": self.wallet}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form: forms.Form = kwargs.get("form") or self.get_form()
        if not form.fields["wallet"].choices:  # type: ignore[attr-defined]
            self.consequence = (
                "There is no wallet yet: credits are a feature of the kind credits. "
                "manage.py feature_define credits credits makes one."
            )
        return super().get_context_data(**{**kwargs, "form": form})

    def once(self, service: Callable[..., Granted], data: dict[str, Any], **terms: Any) -> Granted:
        """Call a service with the form's own key.

        Raises:
            IdempotencyKeyReused: when the form has been sent before, with other values.
            TenantryError: whatever else the service refuses.
        """
        given = {"feature": data["wallet"], "amount": data["amount"], "reason": data["reason"]}
        try:
            return service(**given, **terms, key=f"operator/{service.__name__}/{data['key']}", **self.by)
        except IdempotencyKeyReused as error:
            raise IdempotencyKeyReused(
                "This form was sent before with other values, and that counted: the ledger tells. "
                "To do something more, open the form anew."
            ) from error

    def tell(self, made: Granted, done: str) -> None:
        """Say what became of it: done now, or by the same form before."""
        before = "This form had been sent already, so nothing more was done."
        self.done = f"{before if made.outcome == Outcome.REPEATED else done} The balance was {made.balance:,} then."


class GrantCredits(WalletAction):
    title = "Grant credits"
    form_class = GrantForm
    consequence = (
        "The credits are there at once, or from the moment you set. What is overdrawn they settle first. "
        "They are spent by priority, then by what expires first."
    )
    button = "Grant the credits"

    def get_initial(self) -> dict[str, Any]:
        return {**super().get_initial(), "category": Category.MANUAL, "priority": ORDINARY_PRIORITY}

    def apply(self, data: dict[str, Any]) -> None:
        terms = {name: data[name] for name in ("category", "priority", "effective_at", "expires_at")}
        made = self.once(wallets.grant, data, **terms)
        self.tell(made, f"{data['amount']:,} credits are granted to {{tenant}}.")


class AdjustBalance(WalletAction):
    title = "Adjust the balance"
    form_class = AdjustForm
    consequence = (
        "Upwards it is a manual grant that does not expire; downwards it is taken in the order in which credits "
        "are spent, and never below 0. Nothing in the ledger is changed: a line is added."
    )
    button = "Adjust"

    def apply(self, data: dict[str, Any]) -> None:
        made = self.once(wallets.adjust, data)
        self.tell(made, f"The balance of {{tenant}} is changed by {data['amount']:+,}.")


class GrantEnd(CreditsAction):
    """The end of one grant before its time."""

    form_class = EndGrantForm
    dangerous = True

    @cached_property
    def grant(self) -> Grant:
        """The grant that the address names.

        Raises:
            Http404: when the tenant has none of that id.
        """
        row = Grant.objects.filter(tenant_uuid=self.tenant.pk, id=self.kwargs["grant_id"]).first()
        if row is None:
            raise Http404
        return row

    @property
    def wallet(self) -> str:
        return self.grant.feature

    def facts(self) -> Facts:
        balance = next((each.balance for each in self._wallets() if each.feature == self.wallet), None)
        live = next((each for each in balance.grants if each.id == self.grant.id), None) if balance else None
        if balance is None or live is None:
            return [*self._about(), ("Left", "nothing: it is used up, voided or expired")]
        after = balance.amount - (0 if live.is_scheduled else live.remaining)
        return [*self._about(), ("Left", live.remaining), *_held(live), ("Balance", f"{balance.amount:,} → {after:,}")]

    def _about(self) -> Facts:
        row = self.grant
        return [
            ("Granted", row.amount),
            ("Category", row.get_category_display()),
            ("Because", row.reason),
            ("By", row.author),
            ("Expires", row.expires_at or "never"),
        ]


def _held(live: LiveGrant) -> Facts:
    return [("Set aside", live.held)] if live.held else []


class VoidGrant(GrantEnd):
    title = "Void a grant"
    consequence = (
        "What is left of it is taken back at once. What was spent of it stays spent; what is set aside may still be "
        "confirmed. The grant and its history stay in the ledger."
    )
    button = "Void the grant"
    done = "The grant of {tenant} is void."

    def apply(self, data: dict[str, Any]) -> None:
        wallets.void(grant_id=self.grant.id, reason=data["reason"], **self.by)


class ExpireGrant(GrantEnd):
    title = "Expire a grant"
    consequence = "What is left of it expires now instead of later. The ledger tells of it as expired, not as voided."
    button = "Let it expire"
    done = "The grant of {tenant} has expired."

    def apply(self, data: dict[str, Any]) -> None:
        wallets.expire(grant_id=self.grant.id, reason=data["reason"], **self.by)


CREDITS_ACTIONS: dict[str, type[TenantAction]] = {
    "credits/grant": GrantCredits,
    "credits/adjust": AdjustBalance,
    "credits/<uuid:grant_id>/void": VoidGrant,
    "credits/<uuid:grant_id>/expire": ExpireGrant,
}
