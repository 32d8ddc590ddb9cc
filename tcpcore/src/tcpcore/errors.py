"""What a user call can raise, and what can end a connection (wording of RFC 9293 section 3.10)."""


class TCPError(Exception):
    """Base of every error of tcpcore."""


class AddressError(TCPError):
    """An address is malformed, not ours, or of a family this stack has no address of."""


class AddressInUseError(TCPError):
    """Another listener or connection has the local address and port, or no ephemeral port is left."""


class ConnectionClosingError(TCPError):
    """ "error: connection closing": a SEND after CLOSE, or a second CLOSE."""


class ConnectionNotExistError(TCPError):
    """ "error: connection does not exist": the call needs a connection that is open."""


class ConnectionAbortedError(TCPError):
    """The local user called ABORT."""


class ConnectionRefusedError(TCPError):
    """ "error: connection refused": the peer answered our SYN with RST."""


class ConnectionResetError(TCPError):
    """ "error: connection reset": the peer sent RST."""


class ConnectionTimeoutError(TCPError):
    """ "error: connection aborted due to user timeout": retransmissions stayed unanswered (R2)."""


class KeepaliveTimeoutError(ConnectionTimeoutError):
    """The peer answered none of the keepalive probes (RFC 9293 section 3.8.4)."""


class HostUnreachableError(TCPError):
    """ICMP told that the peer cannot be reached, while the connection was being opened."""


class InsufficientResourcesError(TCPError):
    """ "error: insufficient resources": a limit of the configuration is reached."""
