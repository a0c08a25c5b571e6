"""The use cases of identity, one function each: they open the transaction, ask the policy, write and tell."""
