"""The messages that Wireside's clients and server exchange, and their form on the wire."""

from wireside_protocol.codec import Decoder, encode
from wireside_protocol.errors import ProtocolError
from wireside_protocol.messages import DEFAULT_PORT, PROTOCOL_VERSION, Message

__all__ = ["DEFAULT_PORT", "PROTOCOL_VERSION", "Decoder", "Message", "ProtocolError", "encode"]
