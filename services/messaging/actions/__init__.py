"""What callers can do, one room for each kind of it: threads, posting, attaching."""
