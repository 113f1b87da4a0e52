from tests.tenants.house import house, without_rate_limits

__all__ = ["house", "without_rate_limits"]
