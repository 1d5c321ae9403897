#!/usr/bin/env python3
"""A proxy that hurts: it stands between a client and a server, and spoils what the server answers.

    fault_proxy.py HOST:PORT|PATH

It listens on a free port of 127.0.0.1 and prints "listening PORT". Then it takes one command per line on its standard
input, answers each with "ok", and ends when that input ends:

    pass            hands everything on
    cut N           closes a connection when N bytes of an answer have gone through
    trickle MS      hands answers on byte by byte, MS milliseconds apart
    delay MS        hands answers on after MS milliseconds
    silent          hands no answer on
    garbage SEED    answers with random bytes instead
    tail TEXT       hands answers on with TEXT behind them
    refuse          closes every new connection at once
    drop            closes all connections, once
    once MODE …     one of the above for one answer, then "pass"
    random SEED     one of the above for each answer, most often "pass"
"""

import random
import socket
import sys
import threading
import time


class Proxy:
    def __init__(self, target):
        self.target = target
        self.mode, self.argument = "pass", ""
        self.random = random.Random(0)
        self.pairs = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def connect(self):
        if self.target.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            return server
        host, port = self.target.rsplit(":", 1)
        return socket.create_connection((host, int(port)))

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.mode == "refuse":
                client.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                server = self.connect()
            except OSError:
                client.close()
                continue
            pair = (client, server)
            self.pairs.add(pair)
            for run in self.questions, self.answers:
                threading.Thread(target=run, args=(pair,), daemon=True).start()

    def close(self, pair):
        self.pairs.discard(pair)
        for end in pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def questions(self, pair):
        client, server = pair
        try:
            while data := client.recv(1 << 16):
                server.sendall(data)
        except OSError:
            pass
        self.close(pair)

    def answers(self, pair):
        client, server = pair
        try:
            while data := server.recv(1 << 16):
                mode, argument = self.mode, self.argument
                if mode == "random":
                    mode, argument = self.choose(len(data))
                elif mode == "once":
                    self.mode = "pass"
                    mode, _, argument = argument.partition(" ")
                if not self.answer(client, data, mode, argument):
                    break
        except OSError:
            pass
        self.close(pair)
        client.close()
        server.close()

    def choose(self, length):
        if self.random.random() < 0.8:
            return "pass", ""
        return self.random.choice([
            ("cut", self.random.randrange(length + 1)), ("trickle", 3), ("delay", 5), ("delay", 500), ("silent", ""),
            ("garbage", ""), ("tail", "+OK\r\n")])

    def answer(self, client, data, mode, argument):
        """Hands `data` on; false when the connection shall end."""
        if mode == "cut":
            client.sendall(data[:int(argument)])
            return len(data) < int(argument)
        if mode == "trickle":
            for byte in data:
                client.sendall(bytes([byte]))
                time.sleep(int(argument) / 1000)
        elif mode == "garbage":
            client.sendall(self.random.randbytes(self.random.randrange(1, 100)))
        elif mode != "silent":
            if mode == "delay":
                time.sleep(int(argument) / 1000)
            client.sendall(data + (argument.encode() if mode == "tail" else b""))
        return True

    def obey(self, mode, argument):
        if mode == "drop":
            for pair in list(self.pairs):
                self.close(pair)
            return
        if mode in ("garbage", "random"):
            self.random.seed(int(argument))
        if mode == "tail":
            argument = argument.encode().decode("unicode_escape")
        self.argument = argument
        self.mode = mode


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    proxy = Proxy(sys.argv[1])
    threading.Thread(target=proxy.accept, daemon=True).start()
    print("listening", proxy.listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        mode, _, argument = line.strip().partition(" ")
        proxy.obey(mode, argument)
        print("ok", flush=True)


if __name__ == "__main__":
    main()
