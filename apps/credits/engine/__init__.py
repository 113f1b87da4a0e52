"""The rules of credits: pure, no ORM, no clock."""
