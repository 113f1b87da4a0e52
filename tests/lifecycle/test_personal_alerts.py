"""What alerts quote of a person, after an erasure; not beside a house, which stays for a module."""

from collections.abc import Callable

from apps.audit.models import Alert
from apps.plans.models import Subscription
from tests.support.people import ERASE, run
from tests.support.vendor import Vendor


def test_a_name_is_blotted_out_with_the_note_on_the_subscription(vendor: Vendor, settle: Callable[[], None]) -> None:
    metadata = {"tenant-id": "acme", "admin-user": "Jane Doe", "admin-email": "jane@acme.example"}
    vendor.subscribe(vendor.customer(), vendor.price(), metadata=metadata)
    settle()
    assert "Jane Doe" in Alert.objects.get().message
    run(*ERASE, "acme", "acme", "--even-the-last")
    assert "Jane Doe" not in Alert.objects.get().message
    assert "Jane Doe" not in Subscription.objects.get().note
