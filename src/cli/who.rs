//! Who does something at the desk, and why.

use std::path::Path;

use clap::Args;

use crate::domain::clean;
use crate::store::Actor;

/// Characters of a reason and of a name, at most.
const REASON: usize = 500;
const NAME: usize = 100;

/// Who does something, and why.
#[derive(Debug, Clone, Args)]
pub(super) struct Who {
    /// Why; kept with the decision
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who; the login name otherwise
    #[arg(long, value_name = "NAME", env = "INVITED_ACTOR")]
    actor: Option<String>,
}

impl Who {
    /// As it is stored for what is done with a file, whose name stands beside the reason, or for it.
    pub(super) fn actor_for(self, file: &Path) -> Actor {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let actor = self.actor();
        let reason = match actor.reason {
            Some(reason) => format!("{reason} ({name})"),
            None => name,
        };
        Actor { reason: Some(clean(&reason, REASON)), ..actor }
    }

    /// As it is stored: one line each, for both are shown in lines of a story later.
    pub(super) fn actor(self) -> Actor {
        let name = clean(&self.actor.unwrap_or_else(login_name), NAME);
        Actor {
            name: if name.is_empty() { "desk".to_owned() } else { name },
            reason: self.reason.map(|reason| clean(&reason, REASON)).filter(|reason| !reason.is_empty()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "who is logged in is known from the environment only")]
fn login_name() -> String {
    ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|key| std::env::var(key).ok()).unwrap_or_else(|| "desk".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_names_are_one_line_each() {
        let who =
            |actor: &str, reason: &str| Who { reason: Some(reason.to_owned()), actor: Some(actor.to_owned()) }.actor();
        let told = who("sam\x1b[2J", "asked\nNext: nothing;\x07 a letter went out");
        assert_eq!(
            (told.name.as_str(), told.reason.as_deref()),
            ("sam[2J", Some("asked Next: nothing; a letter went out"))
        );
        let nothing = who(" \n", "\u{200b}");
        assert_eq!((nothing.name.as_str(), nothing.reason), ("desk", None));
    }
}
