"""Starts a Redis server and runs a command with the server's URL in PHICACHE_REDIS_URL.

usage: with_redis.py [SERVER-OPTION...] -- COMMAND...

The server is the program in PHICACHE_REDIS_SERVER, or redis-server, or valkey-server; without one the exit status is
77. It listens on a unix socket in a new folder, and is stopped after the command. The exit status is that of the
command.
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time


def program():
    names = [os.environ.get('PHICACHE_REDIS_SERVER'), 'redis-server', 'valkey-server']
    return next(filter(None, map(shutil.which, filter(None, names))), None)


def listens(path):
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(path) == 0


def main():
    if '--' not in sys.argv:
        sys.exit(__doc__)
    at = sys.argv.index('--')
    options, command = sys.argv[1:at], sys.argv[at + 1:]
    server = program()
    if server is None:
        print('SKIPPED: there is no redis-server. To have it: apt-get install redis-server')
        return 77
    with tempfile.TemporaryDirectory(prefix='phicache-redis-') as folder:
        path = os.path.join(folder, 'socket')
        log = open(os.path.join(folder, 'log'), 'w+')
        running = subprocess.Popen([server, '--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no',
                                    '--dir', folder, *options], stdout=log, stderr=log)
        try:
            for _ in range(12000):
                if listens(path) or running.poll() is not None:
                    break
                time.sleep(0.01)
            if not listens(path):
                log.seek(0)
                sys.exit(f'{server} does not start:\n{log.read()}')
            return subprocess.run(command, env={**os.environ, 'PHICACHE_REDIS_URL': f'unix://{path}'}).returncode
        finally:
            running.kill()
            running.wait()


sys.exit(main())
