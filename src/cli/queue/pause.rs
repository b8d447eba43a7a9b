//! `invited queue pause` and `resume`.

use clap::Args;

use super::{ConfigArg, Desk, Failure, JsonArg, Output, Who, local};
use crate::domain::{ShopId, Timestamp};
use crate::store::{Pause as Resting, Store};

/// Lets all letters of a shop rest, or of all shops. Copies are taken in and read as ever; what falls due meanwhile goes out when it
/// is resumed, as far as its time is not over then. Letters that are on the wire at this moment go.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  While a shop mends its mails:
    invited queue pause --shop nord --reason \"names are wrong since the update\"
  Everything, and what rests now:
    invited queue pause --all --reason \"the relay is being moved\"
    invited queue pause --list")]
pub(in crate::cli) struct Pause {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    whose: Whose,
    /// Only say what rests
    #[arg(long, conflicts_with_all = ["shop", "all"])]
    list: bool,
    #[command(flatten)]
    who: Who,
}

/// Lets letters go again that rest. A shop rests as long as either its own pause or the pause of all shops lasts.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The shop's mails are right again:
    invited queue resume --shop nord
  All that rests as a whole:
    invited queue resume --all")]
pub(in crate::cli) struct Resume {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    whose: Whose,
}

/// Whose letters.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct Whose {
    /// This shop's
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// All shops'
    #[arg(long)]
    all: bool,
}

impl Whose {
    /// A shop of the configuration, or `None` for all.
    fn shop(&self, desk: &Desk) -> Result<Option<ShopId>, Failure> {
        self.shop.as_deref().map(|text| desk.shop(text)).transpose()
    }
}

impl Pause {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if self.whose.shop.is_none() && !self.whose.all && !self.list {
            return Err(Failure::Usage("say whose letters: --shop ID, or --all; --list says what rests".to_owned()));
        }
        let desk = Desk::open(&self.config).await?;
        let zone = desk.zone();
        let at = |at| local(at, &zone);
        let mut out = Output::new();
        if self.list {
            let pauses = desk.store.pauses().await?;
            if pauses.is_empty() && !self.json.json {
                out.line("Nothing is paused.")?;
            }
            for pause in &pauses {
                tell(&mut out, pause, &at, self.json.json)?;
            }
            return Ok(());
        }
        let shop = self.whose.shop(&desk)?;
        let actor = self.who.actor();
        let is_new = desk.store.pause(shop.as_ref(), &actor, desk.clock.now()).await?;
        let pauses = desk.store.pauses().await?;
        let pause = pauses.iter().find(|one| one.shop == shop);
        if let Some(pause) = pause.filter(|_| !is_new) {
            return Err(Failure::Undone(format!("{}; nothing was changed", resting(pause, &at))));
        }
        match pause {
            Some(pause) => tell(&mut out, pause, &at, self.json.json),
            // Somebody resumed it at once.
            None => Err(Failure::Undone("it was resumed by somebody else in the same moment".to_owned())),
        }
    }
}

impl Resume {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if self.whose.shop.is_none() && !self.whose.all {
            return Err(Failure::Usage("say whose letters: --shop ID, or --all".to_owned()));
        }
        let desk = Desk::open(&self.config).await?;
        // A shop that is gone from the configuration may still rest.
        let shop = self.whose.shop.as_deref().map(ShopId::parse).transpose();
        let shop = shop.map_err(|error| Failure::Usage(format!("--shop: {error}")))?;
        let is_done = desk.store.resume(shop.as_ref()).await?;
        let zone = desk.zone();
        let at = |at| local(at, &zone);
        let still = desk.store.pauses().await?;
        let mut out = Output::new();
        if self.json.json {
            out.json(&serde_json::json!({ "shop": shop, "done": is_done, "paused": still.len() }))?;
        }
        let whose = shop.as_ref().map_or_else(|| "all shops".to_owned(), |shop| format!("shop {shop}"));
        if !is_done {
            let others = still.iter().map(|pause| format!("\n  {}", resting(pause, &at))).collect::<String>();
            return Err(Failure::Undone(format!("there is no pause of {whose}; nothing was changed{others}")));
        }
        if !self.json.json {
            out.line(format!("Letters of {whose} go again"))?;
            for pause in still.iter().filter(|pause| shop.is_none() || pause.shop.is_none()) {
                out.line(resting(pause, &at))?;
            }
        }
        Ok(())
    }
}

fn tell(out: &mut Output, pause: &Resting, at: &dyn Fn(Timestamp) -> String, is_json: bool) -> Result<(), Failure> {
    if !is_json {
        return Ok(out.line(resting(pause, at))?);
    }
    Ok(out.json(&serde_json::json!({
        "shop": pause.shop,
        "since": pause.since.to_string(),
        "actor": pause.actor.name,
        "reason": pause.actor.reason,
    }))?)
}

/// `Shop nord is paused since … by anna: names are wrong`.
pub(super) fn resting(pause: &Resting, at: &dyn Fn(Timestamp) -> String) -> String {
    let whose = pause.shop.as_ref().map_or_else(|| "Everything".to_owned(), |shop| format!("Shop {shop}"));
    let why = pause.actor.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{whose} is paused since {} by {}{why}", at(pause.since), pause.actor.name)
}
