// Parses mails as a shop's script would do it: simpleParser of mailparser, which decodes headers, all text parts and attachments.
//
//   node mailparser.cjs LIST
//
// LIST names the mails' files, one a line. They are read before the clock starts. Says "ready", and for each line on standard input
// parses all of them once and says "done MAILS CHARACTERS", the characters being those of the texts that it decoded.

const fs = require("node:fs");
const readline = require("node:readline");
const { simpleParser } = require("mailparser");

const files = fs.readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean);
const mails = files.map((file) => fs.readFileSync(file));

async function parseAll() {
  let characters = 0;
  for (const mail of mails) {
    const parsed = await simpleParser(mail);
    characters += (parsed.text || "").length + (parsed.html || "").length;
  }
  return characters;
}

async function main() {
  console.log("ready");
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    console.log(`done ${mails.length} ${await parseAll()}`);
  }
}

main();
