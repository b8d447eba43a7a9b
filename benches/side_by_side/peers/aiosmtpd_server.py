"""What one would write with aiosmtpd and sqlite3 in an afternoon: an SMTP server that keeps each mail in SQLite and answers 250
when its commit is durable. A peer in the benchmark.

    python3 aiosmtpd_server.py PORT DATABASE
"""

import asyncio
import sqlite3
import sys

from aiosmtpd.smtp import SMTP


class Keeper:
    def __init__(self, database):
        # Without an isolation level each statement is a transaction of its own.
        self.database = sqlite3.connect(database, isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = FULL")
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS mail "
            "(id INTEGER PRIMARY KEY, sender TEXT NOT NULL, recipients TEXT NOT NULL, message BLOB NOT NULL)"
        )

    # In the loop's own thread: another one for the commits made it slower.
    async def handle_DATA(self, server, session, envelope):
        self.database.execute(
            "INSERT INTO mail (sender, recipients, message) VALUES (?, ?, ?)",
            (envelope.mail_from, ",".join(envelope.rcpt_tos), envelope.content),
        )
        return "250 2.0.0 Kept"


async def serve(port, database):
    keeper = Keeper(database)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(keeper, hostname="mail.invited.example.com"), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
