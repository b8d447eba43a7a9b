//! The commands as a person sees them: on a pseudo-terminal, with colours, a pager and questions, and without them elsewhere.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::kit::order_mail;
use crate::program::{BCC, Dialog, Ran, Site, command, run};
use crate::relay::{Act, TestRelay};

/// A terminal of so many rows of 120 columns.
pub(crate) fn terminal(rows: u16) -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(Path::new(name.to_str().unwrap())).unwrap();
    tcsetwinsize(&slave, Winsize { ws_row: rows, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (File::from(master), slave)
}

/// Runs a command on a terminal, where a person types `typed`. Standard error is on it too.
fn on_terminal(command: &mut Command, rows: u16, typed: &str) -> Ran {
    let (mut master, slave) = terminal(rows);
    if !command.get_envs().any(|(key, value)| key == "TERM" && value.is_some()) {
        command.env("TERM", "xterm");
    }
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut child = command.spawn().unwrap();
    // The ends that the command keeps would hold the terminal open for ever.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    master.write_all(typed.as_bytes()).unwrap();
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    // A terminal that nobody holds any more is an error to who reads it (EIO), and no end.
    while let Ok(read) = master.read(&mut buffer) {
        if read == 0 {
            break;
        }
        shown.extend_from_slice(&buffer[..read]);
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Ran { code, out: String::from_utf8(shown).unwrap().replace("\r\n", "\n"), err: String::new() }
}

/// A pager that says that it was one. What it is given goes into a file too.
fn pager(folder: &Path, script: &str) -> String {
    let path = folder.join("pager");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// `template schema`, which is longer than a screen and needs nothing.
fn schema() -> Command {
    let mut command = command();
    command.args(["template", "schema"]);
    command
}

/// Something that stands in it once.
const MARK: &str = "\"$schema\"";

#[test]
fn long_output_goes_through_the_pager_and_short_output_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let pager = pager(folder.path(), "echo \"PAGED LESS=$LESS\"; cat");
    let plain = run(&mut schema()).ended(0).out;
    assert!(plain.lines().count() > 100 && plain.matches(MARK).count() == 1);

    let paged = on_terminal(schema().env("INVITED_PAGER", &pager), 10, "").ended(0).out;
    assert!(paged.starts_with("PAGED LESS=FRX\n{\n"), "{paged}");
    assert!(paged.ends_with(&plain), "{paged}");
    let own = on_terminal(schema().env("INVITED_PAGER", &pager).env("LESS", "S"), 10, "").ended(0).out;
    assert!(own.starts_with("PAGED LESS=S\n"), "{own}");
    let common = on_terminal(schema().env("PAGER", &pager), 10, "").ended(0).out;
    assert!(common.starts_with("PAGED"), "{common}");
    let by_shell = on_terminal(schema().env("PAGER", format!("LESS=x {pager} | cat")), 10, "").ended(0).out;
    assert!(by_shell.starts_with("PAGED LESS=x\n"), "{by_shell}");

    let short = on_terminal(schema().env("PAGER", &pager), 60_000, "").ended(0).out;
    assert!(!short.contains("PAGED") && short.contains(MARK), "{short}");
    let piped = run(schema().env("PAGER", &pager).env("INVITED_PAGER", &pager)).ended(0).out;
    assert_eq!(piped, plain, "never in a pipe");
    for words in [&["--no-pager", "template", "schema"][..], &["template", "schema", "--no-pager"]] {
        let off = on_terminal(command().args(words).env("PAGER", &pager), 10, "").ended(0).out;
        assert!(!off.contains("PAGED") && off.contains(MARK), "{words:?}: {off}");
    }
    for (name, value) in [("INVITED_PAGER", "cat"), ("INVITED_PAGER", ""), ("TERM", "dumb")] {
        let mut schema = schema();
        schema.env("PAGER", &pager);
        let (mut shell, pager) = (Command::new("env"), format!("{name}={value}"));
        shell.arg("-u").arg("INVITED_CONFIG").arg(pager).arg(schema.get_program()).args(schema.get_args());
        shell.envs(schema.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let off = on_terminal(&mut shell, 10, "").ended(0).out;
        assert!(!off.contains("PAGED") && off.contains(MARK), "{name}={value}: {off}");
    }
}

#[test]
fn a_pager_that_is_not_there_is_passed_over_and_one_that_is_left_early_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(&mut schema()).ended(0).out;
    for missing in
        ["/nowhere/pager", "/nowhere/pager -R", "/nowhere/pager | cat >&2; exit 127", "LESS=x /nowhere/pager"]
    {
        let plain = on_terminal(schema().env("PAGER", missing), 10, "").ended(0).out;
        assert!(plain.ends_with(&whole) && plain.matches(MARK).count() == 1, "{missing}: {plain}");
    }
    let left = pager(folder.path(), "head -n 1");
    let ran = on_terminal(schema().env("PAGER", &left), 10, "").ended(0);
    assert_eq!(ran.out, "{\n", "nothing is said of it");
    let failing = pager(folder.path(), "exit 3");
    let ran = on_terminal(schema().env("PAGER", &failing), 10, "").ended(0);
    assert_eq!(ran.out, "");
}

/// A site with one order that waits and one that was cancelled for a reason with an escape sequence in it.
async fn site() -> (Site, TestRelay) {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("delay", "\"7 days\"")]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for (reference, name) in [("1001", "Anna Exempel"), ("20002", "\x1b[2JBert \u{202e}Beispiel")] {
        let reply = dialog.mail(BCC, &order_mail(reference, name, "anna@customer.example.net")).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    drop(dialog);
    crate::kit::until("both are queued", async || (site.invitations().await.len() == 2).then_some(())).await;
    service.stop().await;
    (site, relay)
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_coloured_on_terminals_only_and_numbers_stand_to_the_right() {
    let (site, _relay) = site().await;
    let reason = "asked\x1b]0;owned\x07 by\nNext: a letter \u{9b}31m goes out";
    site.run(&["queue", "cancel", "2", "--actor", "kim\x1b[2J", "--reason", reason]).ended(0);
    let list = || {
        let mut command = command();
        command.args(["queue", "list", "--config"]).arg(site.config());
        command
    };
    let shown = on_terminal(&mut list(), 50, "").ended(0).out;
    let line =
        |text: &str| shown.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{shown:?}")).to_owned();
    assert!(line("1001").contains("\x1b[38;5;2m queued"), "{shown:?}");
    assert!(line("20002").contains("\x1b[2m cancelled"), "{shown:?}");
    let plain = run(&mut list()).ended(0).out;
    assert!(!plain.contains('\x1b'), "{plain:?}");
    assert!(plain.starts_with(" ID ") && plain.contains("\n  2 "), "ids stand to the right: {plain}");
    assert!(plain.contains(" 1001  "), "references are texts: {plain}");
    for (name, value, wanted) in
        [("NO_COLOR", "1", false), ("CLICOLOR", "0", false), ("TERM", "dumb", false), ("CLICOLOR_FORCE", "1", true)]
    {
        let ran = on_terminal(list().env(name, value), 50, "");
        assert_eq!(ran.ended(0).out.contains("\x1b["), wanted, "{name}={value}");
    }
    assert!(run(list().env("CLICOLOR_FORCE", "1")).ended(0).out.contains("\x1b[38;5;2m queued"));
    assert!(!run(list().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1")).ended(0).out.contains('\x1b'));

    for words in
        [&["queue", "list"][..], &["queue", "show", "2"], &["explain", "20002"], &["explain", "20002", "--json"]]
    {
        for ran in [
            on_terminal(command().args(words).arg("--config").arg(site.config()).env("NO_COLOR", "1"), 500, ""),
            site.run(words),
        ] {
            let told = ran.ended(0).out;
            let steers = |c: &char| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c);
            assert_eq!(told.chars().find(steers), None, "{words:?}: {told:?}");
            assert!(!told.lines().any(|line| line.starts_with("Next: a letter")), "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pager_that_is_left_ends_a_command_that_still_has_much_to_say() {
    let (site, _relay) = site().await;
    let left = pager(&site.path(""), "head -n 1");
    let show = || {
        let mut command = command();
        command.args(["queue", "show", "--json"]).args(["1"; 600]).arg("--config").arg(site.config());
        command
    };
    let much = run(&mut show()).ended(0).out.len();
    assert!(much > 1 << 16, "a pipe holds {much} bytes, so that the command is not still writing when the pager goes");
    let ran = on_terminal(show().env("PAGER", &left), 10, "").ended(0);
    assert!(ran.out.starts_with("{\"id\":1,") && ran.out.lines().count() == 1, "{}", ran.out);
}

#[test]
fn a_question_is_answered_on_a_terminal_and_nothing_but_yes_is_a_yes() {
    let folder = tempfile::tempdir().unwrap();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/learn/table-labels/one.eml");
    let learn = || {
        let mut command = command();
        command.args(["template", "learn", sample, "--reference", "LN-2204"]).current_dir(folder.path());
        command
    };
    let file = folder.path().join("lanternen.toml");
    for typed in ["n\n", "\n", "maybe\n"] {
        let ran = on_terminal(&mut learn(), 50, typed).ended(0);
        assert!(ran.out.contains("Save as lanternen.toml? [y/N]") && ran.out.contains("Not saved"), "{}", ran.out);
        assert!(!file.exists(), "{typed:?}");
    }
    let ran = on_terminal(&mut learn(), 50, "y\n").ended(0);
    assert!(ran.out.contains("Saved as lanternen.toml") && file.exists(), "{}", ran.out);

    let init = ["init", "--domain", "nordljus.example", "--dir", "shop"];
    let ran = on_terminal(command().args(init).current_dir(folder.path()), 50, &"\n".repeat(9)).ended(0);
    assert!(ran.out.contains("A short name for it [nordljus]:"), "{}", ran.out);
    assert!(folder.path().join("shop/invited.toml").exists());
}

#[test]
fn completions_of_every_shell_and_the_pages_of_every_command_are_written() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(command().args(["completions", shell])).ended(0).out;
        for word in ["reschedule", "send-now", "no-pager"] {
            assert!(script.contains(word), "{word} is not in the completions of {shell}");
        }
    }
    let other = run(command().args(["completions", "tcsh"])).ended(2);
    assert!(other.err.contains("[possible values: bash, elvish, fish, powershell, zsh]"), "{}", other.err);

    let folder = tempfile::tempdir().unwrap();
    let ran = run(command().args(["man", "--dir", "man/man1"]).current_dir(folder.path())).ended(0);
    let pages = std::fs::read_dir(folder.path().join("man/man1")).unwrap().count();
    assert!(pages > 25 && ran.out.contains(&format!("Wrote {pages} pages into man/man1")), "{}", ran.out);
    let root = run(command().arg("man")).ended(0).out;
    assert_eq!(std::fs::read_to_string(folder.path().join("man/man1/invited.1")).unwrap(), root);
    let cancel = std::fs::read_to_string(folder.path().join("man/man1/invited-queue-cancel.1")).unwrap();
    assert!(cancel.contains(".SH EXAMPLES") && cancel.contains("asked by telephone"), "{cancel}");
    let nowhere = run(command().args(["man", "--dir", "/proc/nowhere"])).ended(1);
    assert!(
        nowhere.err.contains("/proc/nowhere cannot be written") && nowhere.err.contains("--dir"),
        "{}",
        nowhere.err
    );
}

#[test]
fn a_mistyped_command_is_answered_with_the_one_that_was_meant() {
    for (words, meant) in [(&["que"][..], "queue"), (&["queue", "cancle", "1"], "cancel"), (&["explian"], "explain")] {
        let ran = run(command().args(words)).ended(2);
        assert!(ran.err.contains(&format!("'{meant}'")), "{words:?}: {}", ran.err);
    }
}
