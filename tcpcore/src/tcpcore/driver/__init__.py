"""The trio driver: a stack over a link, its connections as trio streams."""

from tcpcore.driver.impaired import ImpairedLink
from tcpcore.driver.link import Link, LinkUnavailableError
from tcpcore.driver.listener import TCPListener
from tcpcore.driver.memory import MemoryLink
from tcpcore.driver.netns import NamespaceUnavailableError, enter_private_namespace, tun_available
from tcpcore.driver.runner import Host, open_stack
from tcpcore.driver.stream import TCPStream
from tcpcore.driver.tun import TunLink
from tcpcore.path import Path

__all__ = [
    "Host",
    "ImpairedLink",
    "Link",
    "LinkUnavailableError",
    "MemoryLink",
    "NamespaceUnavailableError",
    "Path",
    "TCPListener",
    "TCPStream",
    "TunLink",
    "enter_private_namespace",
    "open_stack",
    "tun_available",
]
