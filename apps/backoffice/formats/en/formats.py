"""How Django writes moments in the operator's lists: short, and the same in every column."""

DATETIME_FORMAT = "j M Y, H:i"
DATE_FORMAT = "j M Y"
