"""The trio driver: a stack over a link, its connections as trio streams."""

from tcpcore.driver.link import Link, LinkUnavailableError
from tcpcore.driver.listener import TCPListener
from tcpcore.driver.memory import MemoryLink
from tcpcore.driver.netns import NamespaceUnavailableError, enter_private_namespace, tun_available
from tcpcore.driver.runner import Host, open_stack
from tcpcore.driver.stream import TCPStream
from tcpcore.driver.tun import TunLink

__all__ = [
    "Host",
    "Link",
    "LinkUnavailableError",
    "MemoryLink",
    "NamespaceUnavailableError",
    "TCPListener",
    "TCPStream",
    "TunLink",
    "enter_private_namespace",
    "open_stack",
    "tun_available",
]
