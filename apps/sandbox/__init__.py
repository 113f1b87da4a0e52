"""A stateful local stand-in for Stripe that speaks HTTP. It runs as its own process; nobody imports it."""
