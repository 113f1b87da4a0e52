"""What a person sees: the stand-in itself, hosted checkout, and the billing portal. Plain HTML, no scripts."""
