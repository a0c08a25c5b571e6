"""The webhook service: tells other people's systems about orders, signed, in order, and never lost."""
