"""The codes of the alerts about the end of a tenant."""

DELETION_FAILED = "deletion_failed"
NOTICE_FAILED = "deletion_notice_failed"
NOBODY_TOLD = "deletion_notice_without_address"
NOTICES = (NOTICE_FAILED, NOBODY_TOLD)
END_OF_TENANT = (DELETION_FAILED, *NOTICES)
