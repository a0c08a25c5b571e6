"""Use cases, one function each; they open the transaction, or get the one of the event that caused them."""
