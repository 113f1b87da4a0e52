"""The stories of a tenant's year."""

import pytest

# So that a turn of a story that is told wrongly shows what differs.
pytest.register_assert_rewrite("tests.support.told")
