"""What goes on beside delivering: gaps, replays, setting aside, health, handshakes, retention, keys sealed anew."""
