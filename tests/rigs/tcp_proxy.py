"""A TCP proxy between a station and its broker that can be told to fail: real sockets, real threads."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Literal

Mode = Literal["pass", "refuse", "black_hole", "drop_answers"]
"""What becomes of bytes and connections.

`refuse`: nobody listens. `black_hole`: bytes are swallowed both ways, connections stand; one that lost
bytes on the way to the broker never passes any again, as TCP would not. `drop_answers`: what the broker
says is swallowed, what it is told arrives.
"""

_LOOK_SECONDS = 0.02
_BYTES = 65_536


class TcpProxy:
    """Listens on a port of its own and passes on to `target` (a port of the loopback interface)."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.mode: Mode = "pass"
        self.bytes_up = self.bytes_down = 0  # passed on, to the target and from it
        self._stopped = threading.Event()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._swallowed: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def cut(self) -> None:
        """End every connection there is."""
        with self._lock:
            for pair in self._pairs:
                for wire in pair:
                    with suppress(OSError):  # it may have ended by itself
                        wire.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> TcpProxy:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self.cut()
        for thread in self._threads:
            thread.join()
        self._server.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            ready, _, _ = select.select([self._server], [], [], _LOOK_SECONDS)
            if ready:
                self._begin(self._server.accept()[0])

    def _begin(self, near: socket.socket) -> None:
        if self.mode == "refuse":
            near.close()
            return
        far = socket.socket()
        try:
            far.connect(("127.0.0.1", self._target))
        except OSError:  # the broker is away
            near.close()
            far.close()
            return
        with self._lock:
            self._pairs.add((near, far))
        thread = threading.Thread(target=self._serve, args=(near, far), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            while not self._stopped.is_set() and self._pass_on(near, far):
                pass
            with self._lock:
                self._pairs.discard((near, far))

    def _pass_on(self, near: socket.socket, far: socket.socket) -> bool:
        """False when one side has ended."""
        ready, _, _ = select.select([near, far], [], [], _LOOK_SECONDS)
        for wire in ready:
            try:
                taken = wire.recv(_BYTES)
                if not taken:
                    return False
                if self._passes(near, from_station=wire is near):
                    (far if wire is near else near).sendall(taken)
                    self._count(len(taken), up=wire is near)
            except OSError:
                return False
        return True

    def _count(self, count: int, *, up: bool) -> None:
        with self._lock:
            if up:
                self.bytes_up += count
            else:
                self.bytes_down += count

    def _passes(self, near: socket.socket, *, from_station: bool) -> bool:
        if self.mode == "black_hole":
            self._swallowed.add(near)
        if near in self._swallowed:
            return False
        return from_station or self.mode != "drop_answers"
