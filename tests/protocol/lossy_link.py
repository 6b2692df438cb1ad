"""A network that loses packets: a relay between a console and one BMC."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Number of the packet (from 1) and whether it comes from the BMC; True = it gets lost.
Loses = Callable[[int, bool], bool]


@dataclass
class LossyLink:
    port: int
    lost: int = 0
    passed: int = 0
    _numbers: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def takes(self, loses: Loses, *, from_bmc: bool) -> bool:
        self._numbers[from_bmc] += 1
        if loses(self._numbers[from_bmc], from_bmc):
            self.lost += 1
            return False
        self.passed += 1
        return True


@contextmanager
def lossy_link(address: str, bmc: tuple[str, int], loses: Loses) -> Iterator[LossyLink]:
    """Consoles talk to `address`; what `loses` says never arrives."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back,
    ):
        front.bind((address, 0))
        back.connect(bmc)
        link = LossyLink(front.getsockname()[1])
        ended = threading.Event()

        def carry() -> None:
            console: tuple[str, int] | None = None
            while not ended.is_set():
                for ready in select.select([front, back], [], [], 0.05)[0]:
                    if ready is front:
                        packet, console = front.recvfrom(2048)
                        if link.takes(loses, from_bmc=False):
                            back.send(packet)
                    else:
                        packet = back.recv(2048)
                        if link.takes(loses, from_bmc=True) and console:
                            front.sendto(packet, console)

        thread = threading.Thread(target=carry, daemon=True)
        thread.start()
        try:
            yield link
        finally:
            ended.set()
            thread.join(5)
