"""The notification service: who is told of what, in which words, over which channel, and whether it arrived."""
