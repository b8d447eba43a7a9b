//! Mail servers whose packages exclude the one that is installed: unpacked in `target/peers`, and run in a mount namespace in which the
//! users, folders and files stand that their programs have built in.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::counter::run_with;
use crate::program::{Ran, has, is_root, not_run};

/// Where `.ci/run` unpacks the packages.
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers");

/// Users that the programs ask for by name, with the same number as their group's.
const USERS: [(&str, u32); 3] = [("Debian-exim", 64_990), ("opensmtpd", 64_991), ("opensmtpq", 64_992)];

/// Makes the namespace around `"$@"`. `$1` is a folder with passwd and group, `$2` the root of the unpacked packages.
const AROUND: &str = r#"set -e
work=$1 root=$2; shift 2
mount --bind "$work/passwd" /etc/passwd
mount --bind "$work/group" /etc/group
for folder in /var/lib /var/spool /run; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mkdir -p /var/lib/opensmtpd/empty
mkdir -m 711 /var/spool/smtpd
if [ -d /usr/libexec ]; then
    mount -t tmpfs -o mode=755 tmpfs /usr/libexec
    mkdir /usr/libexec/opensmtpd
    mount --bind "$root/usr/libexec/opensmtpd" /usr/libexec/opensmtpd
fi
if [ -f "$root/usr/sbin/smtpctl" ]; then
    cp "$root/usr/sbin/smtpctl" /run/smtpctl
    chgrp opensmtpq /run/smtpctl
    chmod 2755 /run/smtpctl
fi
exec "$@""#;

/// A program of an unpacked package, where it and what running it takes are there.
pub(crate) fn unpacked(test: &str, path: &str) -> Option<PathBuf> {
    let program = Path::new(UNPACKED).join(path);
    if program.is_file() && is_root() && has("unshare") && has("nsenter") {
        return Some(program);
    }
    not_run(test, &format!("target/peers/{path} (see .ci/run), unshare, nsenter and root"));
    None
}

/// The command that runs a program in a namespace of its own; `work` is a folder for what belongs to it.
pub(crate) fn inside(work: &Path, program: &Path) -> Command {
    for name in ["passwd", "group"] {
        // Ours come first: they count where the machine has such users too.
        let mut text = String::new();
        for (user, number) in USERS {
            let rest = if name == "passwd" { format!("{number}::/:/bin/false") } else { String::new() };
            text.push_str(&format!("{user}:x:{number}:{rest}\n"));
        }
        text.push_str(&std::fs::read_to_string(format!("/etc/{name}")).unwrap());
        std::fs::write(work.join(name), text).unwrap();
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", AROUND, "sh"]).arg(work).arg(UNPACKED).arg(program);
    command
}

/// Gives a folder to one of the users.
pub(crate) fn give_to(user: &str, folder: &Path) {
    let (_, number) = USERS.into_iter().find(|(name, _)| *name == user).unwrap();
    let ran = run_with(Command::new("chown").arg(format!("{number}:{number}")).arg(folder), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// What OpenSMTPD is controlled by, inside; it wants to be its group's.
pub(crate) const SMTPCTL: &str = "/run/smtpctl";

/// Runs a program in the namespace that another process is in.
pub(crate) fn beside(pid: u32, program: &str, words: &[&str]) -> Ran {
    run_with(Command::new("nsenter").args(["--mount", "--target", &pid.to_string()]).arg(program).args(words), b"")
}
