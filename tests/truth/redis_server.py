"""A Redis server on a free port of this machine, for one run. PyPhi reaches a server only over TCP."""

import contextlib
import socket
import subprocess
import time


def _answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False


def _start(program, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
                               "--appendonly", "no"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while server.poll() is None and not _answers(port):
        time.sleep(0.01)
    return server, port


@contextlib.contextmanager
def started(program, folder):
    """The server's port."""
    for _ in range(10):  # another program may take the port first
        server, port = _start(program, folder)
        if server.poll() is None:
            break
    else:
        raise SystemExit(f"{program} does not start")
    try:
        yield port
    finally:
        server.kill()
        server.wait()
