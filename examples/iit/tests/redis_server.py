"""A Redis server for a test, in a new folder, on a unix socket; it ends with the test, also if the test crashes."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

# The shell stops the server when its standard input, a pipe from this process, ends.
GUARD = 'folder=$1; shift; "$@" & read -r line; kill -9 $!; wait $!; rm -rf "$folder"'


def find():
    """The program; or None, after a line with SKIPPED."""
    named = os.environ.get("PHICACHE_REDIS_SERVER")
    found = named or shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        print("SKIPPED: there is no redis-server. To have it: apt-get install redis-server")
    return found


class Server:
    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="phicache-iit-")
        self.url = f"unix://{self.folder}/socket"
        self.guard = subprocess.Popen(
            ["sh", "-c", GUARD, "sh", self.folder, program, "--port", "0", "--unixsocket", f"{self.folder}/socket",
             "--dir", self.folder, "--save", "", "--appendonly", "no"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        began = time.monotonic()
        while self.ask("PING") != b"+PONG":
            if time.monotonic() - began > 20:
                raise SystemExit(f"{program} does not start")
            time.sleep(0.01)

    def ask(self, command):
        """The first line of the server's reply, or None if it does not run."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(f"{self.folder}/socket")
                connection.sendall(command.encode() + b"\r\n")
                return connection.makefile("rb").readline().strip()
            except OSError:
                return None

    def kill(self):
        if not self.guard.stdin.closed:
            self.guard.stdin.close()
            self.guard.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.kill()
