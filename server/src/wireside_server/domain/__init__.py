"""Users, rooms and what happens between them: synchronous, and with no knowledge of I/O."""
