"""Messages about orders: threads, who may read and write in them, what is unread and who is waited for."""
