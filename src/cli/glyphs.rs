//! What a terminal can draw: blocks and lines where its locale has them, ASCII elsewhere, and how wide it is.

use std::ffi::OsString;

/// Columns of what is no terminal, or does not say.
const COLUMNS: usize = 80;

/// Which characters are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glyphs {
    /// Blocks in eighths, lines and corners.
    Blocks,
    /// Nothing but ASCII.
    Ascii,
}

impl Glyphs {
    /// By the environment of this process: what the locale's character set and the terminal can.
    pub(super) fn of_environment() -> Self {
        Self::chosen(|name| std::env::var_os(name))
    }

    fn chosen(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let get = |name: &str| get(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
        // The first of these that is set counts (POSIX, Base Definitions, 8.2).
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get).unwrap_or_default().to_ascii_lowercase();
        let has_characters = locale.contains("utf-8") || locale.contains("utf8");
        let can_draw = !matches!(get("TERM").as_deref(), Some("dumb" | "linux" | "vt100" | "vt102" | "vt220"));
        if has_characters && can_draw { Self::Blocks } else { Self::Ascii }
    }
}

/// The columns of the terminal that standard output is.
pub(super) fn columns() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).ok().map_or(COLUMNS, |size| match usize::from(size.ws_col) {
        0 => COLUMNS,
        columns => columns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_drawn_where_the_locale_and_the_terminal_have_them() {
        for (environment, glyphs) in [
            (&[("LANG", "da_DK.UTF-8")][..], Glyphs::Blocks),
            (&[("LANG", "C.utf8"), ("TERM", "xterm-256color")], Glyphs::Blocks),
            (&[("LANG", "da_DK.UTF-8"), ("LC_ALL", "C")], Glyphs::Ascii),
            (&[("LANG", "C"), ("LC_ALL", ""), ("LC_CTYPE", "en_US.UTF-8")], Glyphs::Blocks),
            (&[("LANG", "da_DK.ISO8859-1")], Glyphs::Ascii),
            (&[], Glyphs::Ascii),
            (&[("LANG", "C.UTF-8"), ("TERM", "dumb")], Glyphs::Ascii),
            (&[("LANG", "C.UTF-8"), ("TERM", "linux")], Glyphs::Ascii),
        ] {
            let get =
                |name: &str| environment.iter().find(|(it, _)| *it == name).map(|(_, value)| OsString::from(value));
            assert_eq!(Glyphs::chosen(get), glyphs, "{environment:?}");
        }
    }
}
