//! `invited letter preview`: one letter on disk, as a browser, a terminal and a mail program show it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;

use super::{Kind, locale_of, shop_of};
use crate::app::{build_setup, load_config};
use crate::cli::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::clock::Clock;
use crate::domain::{Invitation, InvitationId};
use crate::ops::letters::{made_up, specimen};
use crate::store::{Store as _, Subject};

/// Which letter, and where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The first letter of a shop, in the browser:
    invited letter preview --shop nordljus --open
  The reminder in Japanese, written into a folder:
    invited letter preview --shop nordljus --locale ja --kind reminder --out letters
  What an invitation's customer gets:
    invited letter preview --shop nordljus --invitation 4711 --out letters")]
pub(in crate::cli) struct Preview {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The shop whose letter it is; needed where there are several
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// The customer's language (`sv`, `de-AT`); that of the shop or the invitation otherwise
    #[arg(long)]
    locale: Option<String>,
    /// First letter or reminder
    #[arg(long, value_enum, default_value_t = Kind::Invitation)]
    kind: Kind,
    /// With the data of this invitation instead of made-up ones; its links lead nowhere all the same
    #[arg(long, value_name = "NUMBER")]
    invitation: Option<i64>,
    /// The folder for letter.html, letter.txt and letter.eml, which is made if need be. The page stands by itself: a picture of it
    /// is made by `chromium --headless --screenshot=letter.png --window-size=375,1600 file:///DIR/letter.html`
    #[arg(long, value_name = "DIR", default_value = "letter-preview")]
    out: PathBuf,
    /// Open the page in the default browser
    #[arg(long)]
    open: bool,
}

impl Preview {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = load_config(&self.config.config).map_err(Failure::Config)?;
        let shop = shop_of(&config, self.shop.as_deref())?.clone();
        let locale = locale_of(self.locale.as_deref())?;
        let now = Clock::System.now();
        let mut order = match self.invitation {
            Some(number) => self.invitation_of(number, &shop.id).await?,
            None => made_up(&shop, None, now).ok_or_else(|| Failure::Undone("there is no made-up order".to_owned()))?,
        };
        if locale.is_some() {
            order.order.locale = locale;
        }
        let setup = build_setup(config).map_err(Failure::Config)?;
        let letter = specimen(&setup, &shop, &order, self.kind.into(), false, now).map_err(Failure::Undone)?;
        let page = self.out.join("letter.html");
        let written = self.write(&[
            ("letter.html", standalone(&letter.html).as_bytes()),
            ("letter.txt", letter.text.as_bytes()),
            ("letter.eml", &letter.message),
        ]);
        written.map_err(|error| Failure::Undone(format!("{}: {error}", self.out.display())))?;
        let mut out = Output::new();
        if self.json.json {
            out.json(&json!({
                "subject": letter.subject,
                "locale": letter.locale,
                "html_bytes": letter.html.len(),
                "message_bytes": letter.message.len(),
                "folder": self.out.display().to_string(),
            }))?;
        } else {
            out.line(format!("Subject: {}", letter.subject))?;
            let (html, whole) = (letter.html.len().div_ceil(1024), letter.message.len().div_ceil(1024));
            out.line(format!("Language: {}; {html} kB of HTML, {whole} kB in all", letter.locale))?;
            out.line(format!("Written: letter.html, letter.txt, letter.eml in {}", self.out.display()))?;
        }
        if self.open && !opened(&page) {
            out.line(format!("There is no browser to open; the page is {}", page.display()))?;
        }
        Ok(())
    }

    async fn invitation_of(&self, number: i64, shop: &crate::domain::ShopId) -> Result<Invitation, Failure> {
        let desk = Desk::open(&self.config).await?;
        let story = desk.store.story(&Subject::Invitation(InvitationId(number))).await?;
        match story.invitations.into_iter().find(|one| one.id.0 == number) {
            Some(invitation) if invitation.shop == *shop => Ok(invitation),
            Some(invitation) => {
                Err(Failure::Undone(format!("the invitation {number} is of the shop {}", invitation.shop)))
            }
            None => Err(Failure::Undone(format!("there is no invitation {number}"))),
        }
    }

    fn write(&self, files: &[(&str, &[u8])]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.out)?;
        files.iter().try_for_each(|(name, bytes)| std::fs::write(self.out.join(name), bytes))
    }
}

/// The page with its encoding in it: in a mail that stands in the part's header.
fn standalone(html: &str) -> String {
    match html.contains("charset") {
        true => html.to_owned(),
        false => html.replacen("<head>", "<head><meta charset=\"utf-8\">", 1),
    }
}

/// Whether the default browser took it.
fn opened(page: &Path) -> bool {
    let page = page.canonicalize().unwrap_or_else(|_| page.to_owned());
    let mut browser = Command::new(if cfg!(target_os = "macos") { "open" } else { "xdg-open" });
    let browser = browser.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    browser.status().is_ok_and(|status| status.success())
}
