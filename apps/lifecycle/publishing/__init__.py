"""Plans between a pricing.json and the Stripe account: pushed, pulled and listed."""
