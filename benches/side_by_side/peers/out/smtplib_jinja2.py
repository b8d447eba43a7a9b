"""Sends a queue of letters as a shop's script would do it: smtplib over one connection, jinja2 for text and HTML, and around
each letter a durable mark, when asked for one.

    python smtplib_jinja2.py PORT LETTERS FOLDER marks|none

FOLDER holds letter.json (subject, text and html with {{name}}, {{email}}, {{reference}} in them) and takes the marks. Says
"ready HOW" on standard output, waits for a line, sends, says "done LETTERS MARKED", and ends when its input does.
"""

import json
import pathlib
import smtplib
import sqlite3
import sys
import time
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import jinja2


def open_marks(folder, letters):
    db = sqlite3.connect(folder / "marks.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE letters (id INTEGER PRIMARY KEY, state TEXT NOT NULL, at REAL NOT NULL)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO letters VALUES (?, 'queued', ?)", ((id, time.time()) for id in range(letters)))
    db.execute("COMMIT")
    return db


def send(port, letters, folder, db):
    letter = json.loads((folder / "letter.json").read_text("utf-8"))
    plain, markup = jinja2.Environment(), jinja2.Environment(autoescape=True)
    subject, text = plain.from_string(letter["subject"]), plain.from_string(letter["text"])
    html = markup.from_string(letter["html"])

    def mark(id, state):
        if db:
            db.execute("UPDATE letters SET state = ?, at = ? WHERE id = ?", (state, time.time(), id))

    done = 0
    with smtplib.SMTP("127.0.0.1", port) as relay:
        for id in range(letters):
            facts = {"name": f"Customer {id}", "email": f"customer{id}@example.net", "reference": f"{id}-2026"}
            message = EmailMessage()
            message["From"] = "Nordljus <orders@shop.example.com>"
            message["To"] = facts["email"]
            message["Subject"] = subject.render(facts)
            message["Date"] = formatdate()
            message["Message-ID"] = make_msgid(domain="shop.example.com")
            message.set_content(text.render(facts))
            message.add_alternative(html.render(facts), subtype="html")
            mark(id, "on_the_wire")
            relay.send_message(message)
            mark(id, "sent")
            done += 1
    return done


def main():
    port, letters = int(sys.argv[1]), int(sys.argv[2])
    folder, marks = pathlib.Path(sys.argv[3]), sys.argv[4]
    db = open_marks(folder, letters) if marks == "marks" else None
    print("ready", "SQLite, a commit each" if db else "none", flush=True)
    sys.stdin.readline()
    done = send(port, letters, folder, db)
    marked = db.execute("SELECT count(*) FROM letters WHERE state = 'sent'").fetchone()[0] if db else 0
    print("done", done, marked, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
