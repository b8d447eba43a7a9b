// Sends a queue of letters as a shop's script would do it well: nodemailer with a pool of connections, handlebars for text and
// HTML, and around each letter a durable mark, when asked for one.
//
//   node nodemailer.cjs PORT LETTERS CONNECTIONS FOLDER marks|none
//
// FOLDER holds letter.json (subject, text and html with {{name}}, {{email}}, {{reference}} in them) and takes the marks.
// Says "ready HOW" on standard output, waits for a line, sends, says "done LETTERS MARKED", and ends when its input does.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const handlebars = require('handlebars');
const nodemailer = require('nodemailer');

const [port, letters, connections] = process.argv.slice(2, 5).map(Number);
const [folder, marks] = process.argv.slice(5);

// A table as one would keep it, each mark a transaction of its own; where better-sqlite3 cannot be installed, a file to which
// each mark is appended and made durable.
function openMarks() {
  let Database = null;
  try {
    Database = require('better-sqlite3');
  } catch {
    const file = fs.openSync(path.join(folder, 'marks.log'), 'a');
    let marked = 0;
    const mark = (id, state) => {
      fs.writeSync(file, `${id} ${state} ${Date.now()}\n`);
      fs.fdatasyncSync(file);
      marked += 1;
    };
    return { how: 'a file, a sync each', mark, marked: () => marked / 2 };
  }
  const db = new Database(path.join(folder, 'marks.db'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE letters (id INTEGER PRIMARY KEY, state TEXT NOT NULL, at INTEGER NOT NULL)');
  const insert = db.prepare("INSERT INTO letters VALUES (?, 'queued', ?)");
  db.transaction(() => {
    for (let id = 0; id < letters; id += 1) insert.run(id, Date.now());
  })();
  const update = db.prepare('UPDATE letters SET state = ?, at = ? WHERE id = ?');
  const count = db.prepare("SELECT count(*) AS marked FROM letters WHERE state = 'sent'");
  return { how: 'SQLite, a commit each', mark: (id, state) => update.run(state, Date.now(), id), marked: () => count.get().marked };
}

async function send(book) {
  const letter = JSON.parse(fs.readFileSync(path.join(folder, 'letter.json'), 'utf8'));
  const [subject, text, html] = ['subject', 'text', 'html'].map((part) => handlebars.compile(letter[part]));
  const transport = nodemailer.createTransport({
    host: '127.0.0.1', port, secure: false, ignoreTLS: true, pool: true, maxConnections: connections,
  });
  let next = 0;
  let done = 0;
  const worker = async () => {
    while (next < letters) {
      const id = next;
      next += 1;
      const facts = { name: `Customer ${id}`, email: `customer${id}@example.net`, reference: `${id}-2026` };
      const message = {
        from: 'Nordljus <orders@shop.example.com>',
        to: facts.email,
        subject: subject(facts),
        text: text(facts),
        html: html(facts),
      };
      if (book) book.mark(id, 'on_the_wire');
      await transport.sendMail(message);
      if (book) book.mark(id, 'sent');
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  transport.close();
  return done;
}

async function main() {
  const book = marks === 'marks' ? openMarks() : null;
  const input = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  console.log(`ready ${book ? book.how : 'none'}`);
  await input.next();
  const done = await send(book);
  console.log(`done ${done} ${book ? book.marked() : 0}`);
  await input.next();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
