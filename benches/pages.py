#!/usr/bin/env python3
"""The customers' pages beside a server of static files, in the same run: requests per second and p99 of the review page, and the same
bytes served by nginx (the nginx-light package is enough; Python's http.server where it is not installed); then the daemon's memory and
a page's time while slow clients hold connections.

    benches/pages.py [--binary target/release/invited] [--runs 5] [--seconds 5] [--clients 16] [--slow 2000]

It lets `invited demo` make a folder with letters, takes the review link out of one, raises `[pages] connections` of that folder's
configuration so that the slow clients find room, and serves it; what it has started it ends. Runs take turns, so that other work on the
machine falls on all alike. Reading pages is limited by network, 6,000 in ten minutes, so all runs together stay below: --requests.
"""

import argparse, email, email.policy, functools, glob, http.client, http.server, os, re, resource, shutil, socket, statistics, subprocess
import sys, tempfile, threading, time

import own_daemon

# The limit of the pages for one network, less what is asked for beside the runs.
LIMIT = 5_900


def own(binary, folder, connections):
    """A daemon with letters that were sent: its process, where its pages are, and the path of a review."""
    subprocess.run([binary, "demo", "--once", "--dir", folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    letter = sorted(glob.glob(folder + "/Maildir/new/*"))[0]
    message = email.message_from_bytes(open(letter, "rb").read(), policy=email.policy.default)
    html = message.get_body(("html",)).get_content().replace("&amp;", "&")
    path = re.search(r"http://[0-9.:]+(/r/[A-Za-z0-9_-]+)", html).group(1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder + "/invited.toml"
    before, table, after = open(config).read().partition("\n[pages]\n")
    if not table:
        raise SystemExit("the demo's configuration has no [pages]")
    after, next_table, rest = after.partition("\n[")
    after = re.sub(r"(?m)^(url|listen|connections) = .*\n", "", after)
    own = f'url = "http://127.0.0.1:{port}"\nlisten = "127.0.0.1:{port}"\nconnections = {connections}\n'
    open(config, "w").write(before + table + own + after + next_table + rest)
    process, _ = own_daemon.start([binary], folder, config)
    return process, "127.0.0.1", port, path


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


def slow(host, port, count):
    """Connections that send the beginning of a head and no more."""
    held = []
    for _ in range(count):
        one = socket.create_connection((host, port))
        one.sendall(b"GET /r/x HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        held.append(one)
    return held


def is_closed(one):
    """Whether the other end has gone; what it said before that is read."""
    one.settimeout(0.01)
    try:
        while one.recv(4096):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


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
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    conf = f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 2; events {{}}
        http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
        uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; server {{ listen 127.0.0.1:{port}; root {folder}; }} }}"""
    open(folder + "/nginx.conf", "w").write(conf)
    process = subprocess.Popen(["nginx", "-c", folder + "/nginx.conf", "-p", folder], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    return process, port


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binary", default=own_daemon.PROGRAM)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--requests", type=int, default=LIMIT, help="of each server in all runs together")
    arguments.add_argument("--clients", type=int, default=16)
    arguments.add_argument("--slow", type=int, default=2000)
    given = arguments.parse_args()
    if given.requests > LIMIT:
        raise SystemExit(f"one network may read {LIMIT} pages in ten minutes: --requests {LIMIT}")
    # Each slow client is a descriptor here and one in the daemon, which inherits the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        process, host, port, path = own(os.path.abspath(given.binary), folder + "/demo", given.slow + 100)
        peer = None
        try:
            connection = http.client.HTTPConnection(host, port)
            connection.request("GET", path)
            page = connection.getresponse().read()
            os.mkdir(folder + "/static")
            open(folder + "/static/page.html", "wb").write(page)
            # nginx's workers are another user's.
            os.chmod(folder, 0o755)
            peer, peer_port = nginx(folder + "/static")
            name = "nginx, same bytes" if peer else "python http.server, same bytes"
            peer_port = peer_port or static(folder + "/static")
            servers = [("invited, review page", port, path), (name, peer_port, "/page.html")]
            print(f"{len(page)} bytes, {given.clients} clients, {given.runs} runs in turns")
            runs = {server: [] for server, _, _ in servers}
            for number in range(given.runs):
                for server, at, what in servers if number % 2 == 0 else reversed(servers):
                    runs[server].append(load(host, at, what, given.clients, given.requests // given.runs, given.seconds))
            medians = {}
            for server, found in runs.items():
                rates, tails = sorted(rate for rate, _ in found), sorted(tail for _, tail in found)
                medians[server] = statistics.median(rates)
                print(f"{server:32} {medians[server]:8.0f} requests/s ({rates[0]:.0f} to {rates[-1]:.0f})  "
                      f"p99 {statistics.median(tails):7.2f} ms ({tails[0]:.2f} to {tails[-1]:.2f})")
            print(f"ratio of the medians: {medians[servers[0][0]] / medians[name]:.2f} of {name}")
            before = own_daemon.resident(process.pid) / 2**20
            held = slow(host, port, given.slow)
            time.sleep(1)
            during = own_daemon.resident(process.pid) / 2**20
            began = time.perf_counter()
            connection = http.client.HTTPConnection(host, port)
            connection.request("GET", path)
            assert connection.getresponse().status == 200
            answered = (time.perf_counter() - began) * 1000
            time.sleep(12)
            after = own_daemon.resident(process.pid) / 2**20
            gone = sum(is_closed(one) for one in held)
            each = (during - before) * 1024 / given.slow
            print(f"{given.slow} slow clients: {before:.1f} MiB before, {during:.1f} with them ({each:.1f} KiB each), {after:.1f} when {gone} of "
                  f"them were sent away; a page beside them {answered:.1f} ms")
            [one.close() for one in held]
        finally:
            process.terminate()
            process.wait()
            if peer:
                peer.terminate()
                peer.wait()


if __name__ == "__main__":
    sys.exit(main())
