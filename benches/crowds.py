#!/usr/bin/env python3
"""What crowds cost the door, and who stands in line behind them.

    cargo build --release && benches/crowds.py [PROGRAM] [SECONDS]

held     64 descriptors, and 500 connections that stay: processor meanwhile, and how soon the door opens when they go
loop     strangers that reconnect as fast as they can, long past their rate: processor meanwhile, what a connection that is turned away
         costs, what the log grows by, and how long a program of this machine waits for its mails
slow     200 clients that send an octet now and then: how long a mail takes beside them
guessing wrong passwords of a user and of nobody: how long the answers take

A stranger is whoever comes by this machine's own address; without one beside loopback, "loop" is left out. Needs openssl and prlimit.
"""

import base64
import multiprocessing
import pathlib
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

import own_daemon

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else own_daemon.PROGRAM
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0


class Client:
    def __init__(self, address, source=None):
        self.socket = socket.create_connection(address, timeout=30, source_address=(source, 0) if source else None)
        self.file = self.socket.makefile("rb")

    def reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line

    def say(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.reply()


def bcc(config):
    told = subprocess.run([PROGRAM, "shop", "address", "--config", config], check=True, capture_output=True, text=True).stdout
    return next(word.strip("<>,;") for word in told.split() if "@" in word)


def mail_times(address, to, seconds):
    """Hands mails in one after the other; how long each took, ms."""
    client = Client(address)
    client.reply()
    client.say(b"EHLO mta.shop.example.com")
    times, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.perf_counter()
        for line in (b"MAIL FROM:<orders@shop.example.com>", b"RCPT TO:<" + to.encode() + b">", b"DATA",
                     b"Subject: order\r\n\r\nan order\r\n."):
            reply = client.say(line)
            if reply[:1] not in b"23":
                raise SystemExit(f"{line!r}: {reply!r}")
        times.append(1000 * (time.perf_counter() - began))
        time.sleep(0.01)
    return times


def spread(times):
    return f"p50 {statistics.median(times):.2f} ms, p99 {statistics.quantiles(times, n=100)[98]:.2f} ms, {max(times):.2f} ms at most"


class Daemon:
    def __init__(self, wanted, listen="127.0.0.1:0", by=(), more=""):
        self.folder = tempfile.TemporaryDirectory()
        self.config = own_daemon.site(PROGRAM, self.folder.name, wanted, listen)
        self.config.write_text(self.config.read_text() + more)
        self.process, self.address = own_daemon.start([*by, PROGRAM], self.folder.name, self.config)

    def log(self):
        return (pathlib.Path(self.folder.name) / "log").stat().st_size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def held():
    wanted = {"sessions_per_client = ": "sessions_per_client = 200"}
    with Daemon(wanted, by=("prlimit", "--nofile=64:64")) as daemon:
        before, began = own_daemon.processor(daemon.process.pid), time.monotonic()
        crowd = [Client(daemon.address, f"127.0.{1 + number // 250}.{1 + number % 250}") for number in range(500)]
        time.sleep(SECONDS)
        load = (own_daemon.processor(daemon.process.pid) - before) / (time.monotonic() - began)
        for client in crowd:
            client.file.close()
            client.socket.close()
        gone = time.monotonic()
        while not Client(daemon.address).reply().startswith(b"220"):
            pass
        print(f"held: 500 connections, 64 descriptors: {100 * load:.1f} % of a processor, open again after {1000 * (time.monotonic() - gone):.0f} ms")


def reconnect(address, source, seconds, tell):
    done, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        with socket.create_connection(address, timeout=30, source_address=(source, 0)) as client:
            client.recv(512)
        done += 1
    tell.put(done)


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def loop():
    own = own_address()
    if own is None:
        return print("loop: not measured, this machine has no address beside loopback")
    with Daemon({}, listen="0.0.0.0:0") as daemon:
        port, to = daemon.address[1], bcc(daemon.config)
        alone = mail_times(("127.0.0.1", port), to, SECONDS)
        tell = multiprocessing.Queue()
        # Those that its rate allows are let in, and greeted after a while.
        first = [socket.create_connection((own, port), source_address=(own, 0)) for _ in range(100)]
        for client in (1, 4):
            processes = [multiprocessing.Process(target=reconnect, args=((own, port), own, SECONDS, tell)) for _ in range(client)]
            logged, before, began = daemon.log(), own_daemon.processor(daemon.process.pid), time.monotonic()
            for process in processes:
                process.start()
            done = sum(tell.get() for _ in processes)
            spent, took = own_daemon.processor(daemon.process.pid) - before, time.monotonic() - began
            print(f"loop: {client} at a time, {done / took:.0f} connections/s, {100 * spent / took:.1f} % of a processor, "
                  f"{1e6 * spent / done:.0f} us each, {(daemon.log() - logged) / done:.0f} octets of log each")
        processes = [multiprocessing.Process(target=reconnect, args=((own, port), own, SECONDS + 1, tell)) for _ in range(4)]
        for process in processes:
            process.start()
        beside = mail_times(("127.0.0.1", port), to, SECONDS)
        for process in processes:
            process.join()
        for one in first:
            one.close()
        print(f"loop: mails alone {spread(alone)}; beside four loops {spread(beside)}")


def slow():
    with Daemon({"sessions = ": "sessions = 400"}) as daemon:
        to = bcc(daemon.config)
        alone = mail_times(daemon.address, to, SECONDS)
        crowd = [Client(daemon.address, f"127.0.1.{1 + number}") for number in range(200)]
        for client in crowd:
            client.reply()
            client.socket.sendall(b"E")
        beside = mail_times(daemon.address, to, SECONDS)
        print(f"slow: mails alone {spread(alone)}; beside 200 slow clients {spread(beside)}")


def guessing():
    hashed = subprocess.run([PROGRAM, "login", "hash"], input="open sesame\n", check=True, capture_output=True, text=True).stdout.strip()
    with Daemon({"error_delay = ": 'error_delay = "0 s"'}, more=f'\n[[login]]\nuser = "shop"\npassword = "{hashed}"\n') as daemon:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        times, ends, number = {"shop": [], "nobody": []}, time.monotonic() + 2 * SECONDS, 0
        while time.monotonic() < ends:
            # Nobody guesses so often that guesses are not looked at any more.
            client = Client(daemon.address, f"127.0.{1 + number // 250}.{1 + number % 250}")
            number += 1
            client.reply()
            client.say(b"EHLO client.example")
            client.say(b"STARTTLS")
            client.socket = context.wrap_socket(client.socket)
            client.file = client.socket.makefile("rb")
            client.say(b"EHLO client.example")
            for user in ("shop", "nobody") if number % 2 else ("nobody", "shop"):
                began = time.perf_counter()
                reply = client.say(b"AUTH PLAIN " + base64.b64encode(f"\0{user}\0guess {number}".encode()))
                if not reply.startswith(b"535"):
                    raise SystemExit(repr(reply))
                times[user].append(1000 * (time.perf_counter() - began))
            client.socket.close()
        for user, all_times in times.items():
            print(f"guessing: {'a user' if user == 'shop' else 'nobody'}: {len(all_times)} guesses, {spread(all_times)}")


if __name__ == "__main__":
    for measure in (held, loop, slow, guessing):
        measure()
