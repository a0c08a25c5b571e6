"""The use cases of the order service: one function each. They open the transaction; nothing below them commits."""
