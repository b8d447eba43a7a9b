#!/usr/bin/env python3
"""The customers' pages beside a static file server, in the same run: requests per second and p99 of the review page, the same bytes
served by Python's http.server (and by nginx where it is installed), and the daemon's memory while slow clients hold connections.

    benches/pages.py target/release/invited [--seconds 5] [--clients 16] [--slow 800]

It starts `invited demo` in a folder of its own, takes the review link out of the first letter, and ends what it has started. Reading
pages is limited by network, so the run stays below 6000 requests in ten minutes: --requests says how many there are at most.
"""

import argparse, email, email.policy, functools, glob, http.client, http.server, os, re, shutil, socket, statistics, subprocess
import sys, tempfile, threading, time


def demo(binary, folder):
    process = subprocess.Popen([binary, "demo", "--dir", folder], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "End with Ctrl-C" in line:
            break
    letter = sorted(glob.glob(folder + "/Maildir/new/*"))[0]
    message = email.message_from_bytes(open(letter, "rb").read(), policy=email.policy.default)
    html = message.get_body(("html",)).get_content().replace("&amp;", "&")
    host, port, path = re.search(r"http://([0-9.]+):(\d+)(/r/[A-Za-z0-9_-]+)", html).groups()
    return process, host, int(port), path


def load(host, port, path, clients, requests, seconds):
    """Requests per second and p99, milliseconds, with connections that are kept."""
    took, lock, left = [], threading.Lock(), [requests]
    end = time.monotonic() + seconds

    def one():
        connection, own = http.client.HTTPConnection(host, port), []
        while time.monotonic() < end:
            with lock:
                left[0] -= 1
                if left[0] < 0:
                    break
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            own.append(time.perf_counter() - began)
            assert answer.status == 200, answer.status
        with lock:
            took.extend(own)

    began = time.monotonic()
    threads = [threading.Thread(target=one) for _ in range(clients)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return len(took) / (time.monotonic() - began), statistics.quantiles(took, n=100)[98] * 1000


def memory(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1)) / 1024


def slow(host, port, count):
    """Connections that send the beginning of a head and no more."""
    held = []
    for _ in range(count):
        one = socket.create_connection((host, port))
        one.sendall(b"GET /r/x HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        held.append(one)
    return held


def static(folder):
    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 128

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

    server = Server(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def nginx(folder):
    if not shutil.which("nginx"):
        return None, None
    port = 18480
    conf = f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 2; events {{}}
        http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
        uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; server {{ listen 127.0.0.1:{port}; root {folder}; }} }}"""
    open(folder + "/nginx.conf", "w").write(conf)
    process = subprocess.Popen(["nginx", "-c", folder + "/nginx.conf", "-p", folder], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    return process, port


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--requests", type=int, default=4000)
    arguments.add_argument("--clients", type=int, default=16)
    arguments.add_argument("--slow", type=int, default=800)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process, host, port, path = demo(os.path.abspath(given.binary), folder + "/demo")
        peer = None
        try:
            connection = http.client.HTTPConnection(host, port)
            connection.request("GET", path)
            page = connection.getresponse().read()
            os.mkdir(folder + "/static")
            open(folder + "/static/page.html", "wb").write(page)
            rows = [("invited, review page", *load(host, port, path, given.clients, given.requests, given.seconds))]
            peers = [("python http.server, same bytes", static(folder + "/static"))]
            peer, nginx_port = nginx(folder + "/static")
            peers += [("nginx, same bytes", nginx_port)] if peer else []
            for name, at in peers:
                rows.append((name, *load("127.0.0.1", at, "/page.html", given.clients, given.requests, given.seconds)))
            print(f"{len(page)} bytes, {given.clients} clients")
            for name, rate, p99 in rows:
                print(f"{name:32} {rate:8.0f} requests/s  p99 {p99:7.2f} ms  {rate / rows[0][1]:6.2f} of invited's rate")
            before = memory(process.pid)
            held = slow(host, port, given.slow)
            time.sleep(1)
            during = memory(process.pid)
            began = time.perf_counter()
            status = http.client.HTTPConnection(host, port)
            status.request("GET", path)
            assert status.getresponse().status == 200
            answered = (time.perf_counter() - began) * 1000
            time.sleep(12)
            after = memory(process.pid)
            each = (during - before) * 1024 / given.slow
            print(f"{given.slow} slow clients: {before:.1f} MiB before, {during:.1f} with them ({each:.1f} KiB each), {after:.1f} when they "
                  f"were sent away; a page beside them {answered:.1f} ms")
            [one.close() for one in held]
        finally:
            process.terminate()
            process.wait()
            if peer:
                peer.terminate()
                peer.wait()


if __name__ == "__main__":
    sys.exit(main())
