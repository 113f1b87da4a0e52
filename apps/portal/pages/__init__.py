"""What the settings pages show, as data: one module for each page."""

from apps.portal.pages.credits import CreditsPage, credits_page
from apps.portal.pages.limits import LimitsPage, limits_page
from apps.portal.pages.plan import PlanPage, plan_page
from apps.portal.pages.usage import UsagePage, usage_page

__all__ = [
    "CreditsPage",
    "LimitsPage",
    "PlanPage",
    "UsagePage",
    "credits_page",
    "limits_page",
    "plan_page",
    "usage_page",
]
