"""The order service: takes orders in, decides what may happen to them, and tells everyone by events."""
