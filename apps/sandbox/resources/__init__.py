"""One module per resource: its routes, and what each of them does."""
