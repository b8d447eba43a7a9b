//! Where log lines go and how they look: to the journal with a field for each value when standard error is the journal, and to standard
//! error otherwise.

use std::io::{IsTerminal as _, stderr};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::journal::{Journal, SOCKET};
use crate::config::LogFormat;

/// Log lines.
pub struct Tracing;

impl Tracing {
    /// Begins to write log lines. `filter` is a `tracing` filter such as `invited=debug`; the default shows what a mail admin wants to
    /// see.
    pub fn install(format: LogFormat, filter: Option<&str>) {
        let filter = EnvFilter::new(filter.unwrap_or("info")).and(filter_fn(may_be_said));
        let journal = match is_for_the_journal(format, || is_the_journal(stream_of_the_journal().as_deref())) {
            true => Journal::open(Path::new(SOCKET)).map_err(|error| (format, error)).map(Some),
            false => Ok(None),
        };
        let (journal, missing) = match journal {
            Ok(journal) => (journal, None),
            Err(missing) => (None, Some(missing)),
        };
        let lines = || {
            tracing_subscriber::fmt::layer()
                .with_writer(stderr)
                // A journal or a file is searched, and colours would stand between the words.
                .with_ansi(stderr().is_terminal())
                .with_target(false)
        };
        // A second daemon in one process (the demo, tests) keeps the first one's subscriber.
        let _ = match (journal, format) {
            (Some(journal), _) => tracing_subscriber::registry().with(journal.with_filter(filter)).try_init(),
            (None, LogFormat::Json) => {
                tracing_subscriber::registry().with(lines().json().with_filter(filter)).try_init()
            }
            (None, _) => tracing_subscriber::registry().with(lines().compact().with_filter(filter)).try_init(),
        };
        if let Some((LogFormat::Journal, error)) = missing {
            tracing::warn!(%error, "there is no journal to log to; log lines go to standard error");
        }
        // The words of a panic can quote what was being read. Panics over a mail are caught and the mail is held; where one
        // happened is enough to find it.
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(place, "a panic was met; please report it");
        }));
    }
}

/// What libraries say is for whoever develops them: those that parse mails quote them, word by word. Only their warnings are let through,
/// whatever the filter asks for.
fn may_be_said(of: &Metadata<'_>) -> bool {
    let target = of.target();
    target == "invited" || target.starts_with("invited::") || *of.level() <= Level::WARN
}

fn is_for_the_journal(format: LogFormat, is_the_journal: impl FnOnce() -> bool) -> bool {
    match format {
        LogFormat::Automatic => is_the_journal(),
        LogFormat::Journal => true,
        LogFormat::Text | LogFormat::Json => false,
    }
}

/// What systemd says of the stream that it has connected standard output or standard error to (systemd.exec(5)).
#[expect(clippy::disallowed_methods, reason = "systemd speaks to what it starts through the environment")]
fn stream_of_the_journal() -> Option<String> {
    std::env::var("JOURNAL_STREAM").ok()
}

/// Whether standard error is that stream: it names a device and an inode. It is set though somebody has redirected standard error.
fn is_the_journal(stream: Option<&str>) -> bool {
    // The file behind the descriptor, as the kernel shows it.
    let Ok(own) = std::fs::metadata("/proc/self/fd/2") else { return false };
    stream.is_some_and(|stream| is_stream(stream, own.dev(), own.ino()))
}

fn is_stream(stream: &str, device: u64, inode: u64) -> bool {
    stream.split_once(':').is_some_and(|(dev, ino)| dev.parse() == Ok(device) && ino.parse() == Ok(inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_taken_when_standard_error_is_it_or_somebody_says_so() {
        for (format, is_it, wanted) in [
            (LogFormat::Automatic, true, true),
            (LogFormat::Automatic, false, false),
            (LogFormat::Journal, false, true),
            (LogFormat::Text, true, false),
            (LogFormat::Json, true, false),
        ] {
            assert_eq!(is_for_the_journal(format, || is_it), wanted, "{format:?} {is_it}");
        }
    }

    #[test]
    fn a_stream_is_known_by_device_and_inode() {
        assert!(is_stream("9:4711", 9, 4711));
        for other in ["9:4712", "8:4711", "9", "", "9:", "a:b", "9:4711:1"] {
            assert!(!is_stream(other, 9, 4711), "{other}");
        }
        assert!(!is_the_journal(None));
        assert!(!is_the_journal(Some("0:0")));
    }
}
