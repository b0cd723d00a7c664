"""The audit record: made from Temporal's histories, kept in a folder of its own, signed, anchored outside."""
