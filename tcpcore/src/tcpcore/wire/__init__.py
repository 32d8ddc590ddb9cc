"""IP, TCP and ICMP as bytes. Names with ``untrusted`` take what a network sent, raise only ``BadPacket``."""
