"""A stand-in for the network before a MongoDB server, which a test can cut, block and mend."""

import socket
import threading
from contextlib import suppress

import pytest

import mongo_server


class Proxy:
    """Passes bytes to the server of the tests and back; several clients at once.

    `stop` is a server that has ended: connections break, new ones are refused. `block` is one that does not get to run:
    connections stay, nothing comes. `lose_answer` breaks the connection of the next insert when the server has done it.
    """

    def __init__(self):
        host = mongo_server.server().partition("://")[2].rpartition("@")[2].split("/")[0].split(",")[0]
        if "tls=true" in mongo_server.server() or "+srv" in mongo_server.server():
            pytest.skip("a server behind TLS is not reached through a proxy")
        name, _, port = host.partition(":")
        self._server = name, int(port or 27017)
        self.port, self._listener, self._sockets = 0, None, []
        self._passes, self._loses = threading.Event(), threading.Event()
        self.start()

    def address_of(self, database):
        """The address of a database of the server, by this way."""
        base, _, options = mongo_server.address_of(database).partition("?")
        login = base.rpartition("@")[0]
        begin = f"{login}@" if login else "mongodb://"
        options = "&".join(filter(None, [options, "directConnection=true"]))
        return f"{begin}127.0.0.1:{self.port}/{database}?{options}"

    def start(self):
        self._passes.set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        listener, self._listener = self._listener, None
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        while self._sockets:
            _close(self._sockets.pop())

    def block(self):
        self._passes.clear()

    def unblock(self):
        self._passes.set()

    def lose_answer(self):
        self._loses.set()

    def has_lost(self):
        return not self._loses.is_set()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(self._server)
            except OSError:
                return
            self._sockets += [client, server]
            is_insert = threading.Event()
            threading.Thread(target=self._pass, args=(client, server, is_insert, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, is_insert, True), daemon=True).start()

    def _pass(self, begin, end, is_insert, is_answer):
        with suppress(OSError):
            while data := begin.recv(65536):
                self._passes.wait()
                if not is_answer and self._loses.is_set() and b"\x02insert\0" in data:
                    self._loses.clear()
                    is_insert.set()
                elif is_answer and is_insert.is_set():
                    break
                end.sendall(data)
        _close(begin)
        _close(end)


def _close(open_socket):
    with suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
    open_socket.close()
