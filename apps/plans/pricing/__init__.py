"""pricing.json: Tier's format, and one block in it for what Tier cannot say. Pure: no database, no clock.

`reading.read` and `writing.write` are inverse to each other; `schema.SCHEMA` describes the same format.
"""
