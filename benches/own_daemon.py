"""A daemon of a benchmark's own, in a folder of its own, with a certificate and a relay that there is not."""

import pathlib
import subprocess
import time

PROGRAM = str(pathlib.Path(__file__).resolve().parent.parent / "target/release/invited")


def resident(pid):
    """VmRSS of proc(5), bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the daemon is gone")


def processor(pid):
    """What it has had of a processor, seconds (utime and stime of proc(5))."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def site(program, folder, wanted, listen="127.0.0.1:0"):
    """A configuration in which the line that begins with a key of `wanted` is the one there."""
    subprocess.run(
        [program, "init", "--dir", folder, "--domain", "shop.example.com", "--relay", "smtp://127.0.0.1:9", "--listen", listen],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", "/CN=mail.example.com", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/chain.pem"],
        check=True, stderr=subprocess.DEVNULL,
    )
    config = pathlib.Path(folder) / "invited.toml"
    lines = config.read_text().splitlines()
    wanted = {"tls = ": 'tls = { certificate = "chain.pem", key = "key.pem" }', **wanted}
    for number, line in enumerate(lines):
        for key in list(wanted):
            if line.lstrip("#").startswith(key):
                lines[number] = wanted.pop(key)
    if wanted:
        raise SystemExit(f"the configuration has no line for {', '.join(wanted)}")
    config.write_text("\n".join(lines) + "\n")
    return config


def start(command, folder, config):
    """Starts it and waits until it listens; the process and where it listens."""
    addresses = pathlib.Path(folder) / "addresses"
    addresses.unlink(missing_ok=True)
    log = open(pathlib.Path(folder) / "log", "w")
    daemon = subprocess.Popen([*command, "serve", "--config", config, "--addresses", addresses], stderr=log)
    while not (addresses.exists() and addresses.read_text().endswith("\n")):
        if daemon.poll() is not None:
            raise SystemExit((pathlib.Path(folder) / "log").read_text())
        time.sleep(0.05)
    host, port = addresses.read_text().split("\n")[0].rsplit(":", 1)
    return daemon, (host, int(port))
