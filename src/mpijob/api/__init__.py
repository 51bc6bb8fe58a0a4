"""The wire: JSON to the core's values, and back. Pure; reads with msgspec, never with a clock."""
