"""Limits on the rows of the tenants' own models."""

from apps.entitlements.limiting.guarding import guard
from apps.entitlements.limiting.models import LimitedModel, LimitedQuerySet
from apps.entitlements.limiting.translation import translated

__all__ = ["LimitedModel", "LimitedQuerySet", "guard", "translated"]
