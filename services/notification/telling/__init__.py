"""Deciding who is told of what, and when: pure rules without I/O or a clock."""
