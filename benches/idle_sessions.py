#!/usr/bin/env python3
"""What sessions cost that wait: opens many to a daemon of its own, in the clear and over TLS, and reads its memory.

    cargo build --release && benches/idle_sessions.py [PROGRAM] [SESSIONS]

Each says EHLO and waits. VmRSS of /proc/PID/status is read before, with the sessions in the clear, and with as many over STARTTLS in a
daemon of their own. Needs openssl, and descriptors for the sessions: ulimit -n.
"""

import resource
import selectors
import signal
import socket
import ssl
import sys
import tempfile
import time

import own_daemon

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else own_daemon.PROGRAM
SESSIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
# What the whole daemon may take with 10,000 sessions in the clear, bytes.
MOST = 150 * 1024 * 1024
# Connections that are on their way at one time; more would overflow the listener's queue.
AT_ONCE = 200


class Session:
    """Greeting, EHLO, and with TLS: STARTTLS, handshake, EHLO; without ever blocking the others."""

    def __init__(self, address, context):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(address)
        self.context = context
        self.heard = b""
        self.steps = [b"EHLO idle.example\r\n"] + ([b"STARTTLS\r\n", None, b"EHLO idle.example\r\n"] if context else [])

    def ready(self):
        """Whether it has come to rest."""
        try:
            if isinstance(self.socket, ssl.SSLSocket) and self.steps and self.steps[0] is None:
                self.socket.do_handshake()
                self.steps.pop(0)
                self.socket.send(self.steps.pop(0))
                return False
            octets = self.socket.recv(4096)
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        if not octets:
            raise SystemExit(f"a session was closed: {self.heard!r}")
        self.heard += octets
        last = self.heard.rstrip(b"\r\n").rsplit(b"\r\n", 1)[-1]
        if not self.heard.endswith(b"\r\n") or last[3:4] == b"-":
            return False
        if not last.startswith(b"2"):
            raise SystemExit(f"a session was refused: {last!r}")
        self.heard = b""
        if not self.steps:
            return True
        if self.steps[0] is None:
            self.socket = self.context.wrap_socket(self.socket, do_handshake_on_connect=False)
            return self.ready()
        self.socket.send(self.steps.pop(0))
        return False


def open_all(address, context):
    selector = selectors.DefaultSelector()
    resting = []
    begun = 0
    while len(resting) < SESSIONS:
        while begun < SESSIONS and begun - len(resting) < AT_ONCE:
            session = Session(address, context)
            selector.register(session.socket.fileno(), selectors.EVENT_READ, session)
            begun += 1
        for key, _ in selector.select(timeout=10) or (_ for _ in [sys.exit("no session moves any more")]):
            if key.data.ready():
                selector.unregister(key.fd)
                resting.append(key.data)
    return resting


def measure(name, context):
    with tempfile.TemporaryDirectory() as folder:
        config = own_daemon.site(PROGRAM, folder, {
            "sessions = ": f"sessions = {SESSIONS + 10}",
            "sessions_per_client = ": f"sessions_per_client = {SESSIONS + 10}",
            "command_timeout = ": 'command_timeout = "1 hour"',
            "session_timeout = ": 'session_timeout = "2 hours"',
        })
        daemon, address = own_daemon.start([PROGRAM], folder, config)
        try:
            time.sleep(1)
            before = own_daemon.resident(daemon.pid)
            sessions = open_all(address, context)
            time.sleep(2)
            after = own_daemon.resident(daemon.pid)
            each = (after - before) / len(sessions)
            print(f"{name}: {before / 2**20:.1f} MiB at rest, {after / 2**20:.1f} MiB with {len(sessions)} sessions, {each / 1024:.1f} KiB each")
            return after
        finally:
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plain = measure("in the clear", None)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    measure("over TLS", context)
    if plain > MOST and SESSIONS <= 10_000:
        raise SystemExit(f"more than {MOST / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
