"""How events become facts, and facts become figures."""
