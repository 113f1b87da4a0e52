"""Subscriptions: what Tenantry made of each one in Stripe."""

from django.contrib import admin
from django.utils.safestring import SafeString

from apps.backoffice import badges
from apps.backoffice.base import ReadOnlyModelAdmin
from apps.backoffice.site import site
from apps.plans.models import Subscription


@admin.register(Subscription, site=site)
class SubscriptionAdmin(ReadOnlyModelAdmin):
    list_display = ("stripe_id", "status", "shown_outcome", "tenant", "customer_id", "note", "created_at")
    list_filter = ("outcome", "status")
    list_select_related = ("tenant",)
    search_fields = ("stripe_id", "customer_id", "tenant__tenant_id", "tenant__name")
    search_help_text = "Subscription, customer or tenant"
    fields = ("stripe_id", "status", "shown_outcome", "note", "tenant", "bound_at", "customer_id", "created_at")
    readonly_fields = ("shown_outcome",)
    empty_title = "No subscription seen yet"
    empty_text = "They come with Stripe’s webhooks, or all at once with manage.py stripe_sync."

    @admin.display(description="Outcome", ordering="outcome")
    def shown_outcome(self, subscription: Subscription) -> SafeString:
        return badges.outcome(subscription.outcome)
