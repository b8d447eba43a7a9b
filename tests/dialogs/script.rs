//! A script is a text file. `#` comments; `limits: name=value …`, `tls: yes` or `required`, `role: lmtp`, `logins: yes`, `local: yes` (a socket
//! of this machine; only the bare session is played then) and `intake: ready=full,ok dot=unavailable` come first. Then: `C:` a line that the client sends, with CRLF; `R:` raw octets without it; `S:` how the next reply line begins;
//! `TLS` the handshake; `CLOSED` the server hung up; `KEPT: n` copies taken in so far; `BODY:` the last message. In `C`, `R` and
//! `BODY` stand the escapes `\r \n \0 \\ \xHH` and `\{n}x`, n times the next character. Sends in a row go out as one write.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use invited::config::{Limits, Role};
use invited::ops::accept::NotNow;

use crate::intake::FakeIntake;

#[derive(Default)]
pub(crate) struct Script {
    pub(crate) limits: Limits,
    pub(crate) tls: bool,
    pub(crate) requires_tls: bool,
    pub(crate) role: Role,
    pub(crate) logins: bool,
    pub(crate) local: bool,
    pub(crate) ready: VecDeque<Result<(), NotNow>>,
    pub(crate) dot: VecDeque<Result<(), NotNow>>,
    pub(crate) steps: Vec<(usize, Step)>,
}

#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Expect(String),
    Tls,
    Closed,
    Kept(usize),
    Body(Vec<u8>),
}

impl Script {
    pub(crate) fn parse(text: &str) -> Self {
        let mut script =
            Self { limits: Limits { error_delay: Duration::ZERO, ..Limits::default() }, ..Self::default() };
        for (index, line) in text.lines().enumerate() {
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            let step = match key {
                "" => continue,
                _ if key.starts_with('#') => continue,
                "limits" => {
                    value.split(' ').for_each(|limit| set(&mut script.limits, limit));
                    continue;
                }
                "tls" => {
                    (script.tls, script.requires_tls) = (value != "no", value == "required");
                    continue;
                }
                "role" => {
                    script.role = match value {
                        "smtp" => Role::Smtp,
                        "submission" => Role::Submission,
                        "lmtp" => Role::Lmtp,
                        _ => panic!("{value}"),
                    };
                    continue;
                }
                "logins" => {
                    script.logins = value == "yes";
                    continue;
                }
                "local" => {
                    script.local = value == "yes";
                    continue;
                }
                "intake" => {
                    value.split(' ').for_each(|plan| script.plan(plan));
                    continue;
                }
                "C" => Step::Send([unescape(value), b"\r\n".to_vec()].concat()),
                "R" => Step::Send(unescape(value)),
                "S" => Step::Expect(value.to_owned()),
                "TLS" => Step::Tls,
                "CLOSED" => Step::Closed,
                "KEPT" => Step::Kept(value.parse().unwrap()),
                "BODY" => Step::Body(unescape(value)),
                _ => panic!("line {}: {line}", index + 1),
            };
            match (script.steps.last_mut(), step) {
                (Some((_, Step::Send(before))), Step::Send(more)) => before.extend(more),
                (_, step) => script.steps.push((index + 1, step)),
            }
        }
        script
    }

    fn plan(&mut self, plan: &str) {
        let (question, answers) = plan.split_once('=').unwrap();
        let queue = match question {
            "ready" => &mut self.ready,
            "dot" => &mut self.dot,
            _ => panic!("{plan}"),
        };
        queue.extend(answers.split(',').map(|answer| match answer {
            "ok" => Ok(()),
            "full" => Err(NotNow::Full),
            "unavailable" => Err(NotNow::Unavailable),
            _ => panic!("{plan}"),
        }));
    }

    pub(crate) fn intake(&self) -> Arc<FakeIntake> {
        let (ready, dot) = (self.ready.clone().into(), self.dot.clone().into());
        Arc::new(FakeIntake { ready, dot, logins: self.logins, asked: Mutex::default(), kept: Mutex::default() })
    }
}

fn set(limits: &mut Limits, limit: &str) {
    let (name, value) = limit.split_once('=').unwrap();
    let value = value.parse::<u32>().unwrap();
    let number = usize::try_from(value).unwrap();
    match name {
        "command_line" => limits.command_line = number,
        "data_line" => limits.data_line = number,
        "message" => limits.message = number,
        "header" => limits.header = number,
        "received" => limits.received = number,
        "recipients" => limits.recipients = number,
        "errors" => limits.errors = value,
        "idle_commands" => limits.idle_commands = value,
        "error_delay_ms" => limits.error_delay = Duration::from_millis(value.into()),
        _ => panic!("{limit}"),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        octets.extend_from_slice(&rest.as_bytes()[..at]);
        let (escape, after) = rest[at + 1..].split_at(1);
        rest = after;
        match escape {
            "r" => octets.push(b'\r'),
            "n" => octets.push(b'\n'),
            "0" => octets.push(0),
            "\\" => octets.push(b'\\'),
            "x" => {
                octets.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            "{" => {
                let (times, after) = rest.split_once('}').unwrap();
                octets.extend(std::iter::repeat_n(after.as_bytes()[0], times.parse().unwrap()));
                rest = &after[1..];
            }
            _ => panic!("\\{escape}"),
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

pub(crate) fn scripts() -> Vec<(String, Script)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dialogs");
    let mut paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    paths.sort();
    assert!(paths.len() >= 30, "only {} scripts", paths.len());
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(name.ends_with(".smtp"), "{name} is no script");
            (name, Script::parse(&fs::read_to_string(path).unwrap()))
        })
        .collect()
}
