"""A deployment from its lock to its receipt, on whatever target."""
