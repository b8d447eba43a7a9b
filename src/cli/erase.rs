//! `invited erase`: everything that is stored about one person goes (GDPR, article 17). What stays is a keyed hash on the suppression
//! list, so that nobody writes to them again, and figures that name nobody.

use clap::Args;
use serde_json::json;

use super::confirm::confirm;
use super::output::count;
use super::person::{look, parse};
use super::progress::Search;
use super::who::Who;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::config::Database;
use crate::domain::{EmailAddress, ShopId};
use crate::ops::person::{Erasing, Found, Names, Order, Remains, erase, mark, remains, rewrite, whose_own};
use crate::store::PersonTable;

/// Erases everything that is stored about one person.
///
/// Gone are their copies with the bytes, invitations, letters and decisions, and every other copy that names the address, for which all
/// texts and the kept bytes of all copies are looked through. Afterwards the database's files are read whole for what is left.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would go:
    invited erase anna@customer.example --dry-run
  Everything; a keyed hash on the suppression list stays, so that nobody writes to her again:
    invited erase anna@customer.example --reason \"asked by letter\"
  In a script, and without the hash:
    invited erase anna@customer.example --yes --forget-suppression")]
pub(super) struct Erase {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The person's address
    address: String,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// What stays on the suppression list is for this shop only; for all otherwise
    #[arg(long, value_name = "ID", conflicts_with = "forget_suppression")]
    shop: Option<String>,
    /// Take the address off the suppression list too: the next order is invited again
    #[arg(long)]
    forget_suppression: bool,
    /// Write a file of more than 256 MB anew too, where that is needed: nobody else can write to it meanwhile
    #[arg(long)]
    rewrite: bool,
    #[command(flatten)]
    who: Who,
}

/// A file of so many bytes is written anew without asking, in a second or two: as long as others wait for each other anyway.
const REWRITTEN_AT_ONCE: u64 = 256 * 1024 * 1024;

/// Writes the file anew, where rows that were moved within it have left their bytes.
async fn rewritten(desk: &Desk) -> Result<bool, Failure> {
    let mut search = Search::default();
    let is_tidy = rewrite(&desk.store, &mut |looked| search.at(looked)).await;
    drop(search);
    is_tidy.map_err(|error| {
        Failure::Undone(format!("everything was erased, but the file cannot be written anew: {error}"))
    })
}

impl Erase {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let address = parse(&self.address)?;
        let desk = Desk::open(&self.config).await?;
        let shop = super::suppress::shop(&desk, self.shop.as_deref())?;
        if let Some(shop) = whose_own(&desk.config, &address) {
            return Err(Failure::Undone(format!(
                "{address} is an address of {shop} itself, which every copy names; nothing was erased"
            )));
        }
        let found = look(&desk, &address).await?;
        let mut out = Output::new();
        if !self.json.json {
            foretell(&found, self.forget_suppression, &mut out)?;
        }
        if self.dry_run {
            if self.json.json {
                out.json(&json!({ "address": address, "done": false, "found": figures(&found) }))?;
            }
            return Ok(());
        }
        drop(out);
        let question = format!("Erase {} of {address} for good?", sum(&found));
        if !confirm(&question, self.yes)? {
            return Err(Failure::Undone("nothing was erased".to_owned()));
        }
        let mut erasing = self.carry_out(&desk, &address, found.clone(), shop).await?;
        let mut left = look_at_the_files(&desk, found.names(), &erasing.longer)?;
        if let Some(remains) = &left
            && remains.places > 0
            && erasing.is_tidy
            && (self.rewrite || remains.files.iter().all(|(_, bytes)| *bytes <= REWRITTEN_AT_ONCE))
        {
            erasing.is_tidy = rewritten(&desk).await?;
            left = look_at_the_files(&desk, found.names(), &erasing.longer)?;
        }
        self.tell(&desk, &address, &erasing, left.as_ref())
    }

    async fn carry_out(
        &self,
        desk: &Desk,
        address: &EmailAddress,
        found: Found,
        shop: Option<ShopId>,
    ) -> Result<Erasing, Failure> {
        let policies = desk.policies()?;
        let actor = self.who.clone().actor();
        // A note that names the person would keep what is to go.
        let note = actor.reason.filter(|reason| !found.names().stand_in(reason.as_bytes()));
        let stays = mark(address, shop, policies.list_key(), &actor.name, note, desk.clock.now());
        let order = Order {
            mark: (!self.forget_suppression).then_some(stays),
            actor: actor.name,
            policies,
            clock: desk.clock.clone(),
        };
        let mut search = Search::default();
        let erasing = erase(&desk.store, address, found, &order, &mut |looked| search.at(looked)).await;
        drop(search);
        Ok(erasing?)
    }

    fn tell(
        &self,
        desk: &Desk,
        address: &EmailAddress,
        erasing: &Erasing,
        left: Option<&Remains>,
    ) -> Result<(), Failure> {
        let mut out = Output::new();
        let places = left.map(|left| left.places);
        let is_done = places.unwrap_or(0) == 0 && erasing.named_by.is_empty();
        if self.json.json {
            out.json(&json!({
                "address": address, "done": true, "erased": erasing.erased, "on_the_wire": erasing.on_the_wire,
                "log_emptied": erasing.is_tidy, "files": left.map(|left| &left.files), "places_left": places,
                "named_by_invitations": erasing.named_by, "damaged_copies": erasing.damaged,
                "suppressed": !self.forget_suppression,
            }))?;
        } else {
            for line in lines(desk, erasing, left, self.forget_suppression) {
                out.line(line)?;
            }
        }
        match is_done {
            true => Ok(()),
            false => Err(Failure::Undone(unfinished(erasing, places))),
        }
    }
}

/// What was found, in figures.
fn figures(found: &Found) -> serde_json::Value {
    json!({
        "copies": found.copies.len(),
        "invitations": found.own.of(PersonTable::Invitation).len(),
        "letters": found.own.of(PersonTable::Letter).len(),
        "decisions": found.own.of(PersonTable::Decision).len(),
        "reviews": found.own.of(PersonTable::Review).len(),
        "words": found.words.values().map(Vec::len).sum::<usize>(),
        "entries": found.entries.len(),
    })
}

fn sum(found: &Found) -> String {
    let rows = [PersonTable::Invitation, PersonTable::Letter, PersonTable::Decision, PersonTable::Review];
    let [invitations, letters, decisions, reviews] = rows.map(|table| found.own.of(table).len());
    let copies = if found.copies.len() == 1 { "1 copy".to_owned() } else { format!("{} copies", found.copies.len()) };
    format!(
        "{copies}, {}, {}, {} and {}",
        count(invitations, "invitation"),
        count(letters, "letter"),
        count(decisions, "decision"),
        count(reviews, "review")
    )
}

fn foretell(found: &Found, forgets: bool, out: &mut Output) -> Result<(), Failure> {
    out.line(format!("Found: {}.", sum(found)))?;
    let others = found.copies.len() - found.own.of(PersonTable::Copy).len();
    if others > 0 {
        out.line(format!("  of the copies, {others} only name the address; they go too"))?;
    }
    let words = found.words.values().map(Vec::len).sum::<usize>();
    if words > 0 {
        out.line(format!("  {} of others name the address; the words go, the rows stay", count(words, "row")))?;
    }
    out.line(
        "  looked through: the keys of all rows, every text of every table, the kept bytes of every copy, decoded",
    )?;
    out.line(match forgets {
        true => "  the suppression list forgets the address too",
        false => "  a keyed hash stays on the suppression list",
    })?;
    Ok(())
}

/// Reads the files of the database; a server's are its own business.
fn look_at_the_files(desk: &Desk, names: &Names, longer: &[String]) -> Result<Option<Remains>, Failure> {
    let Database::Sqlite(path) = &desk.config.database else { return Ok(None) };
    let mut search = Search::default();
    let left = remains(path, names, longer, &mut |looked| search.at(looked));
    drop(search);
    left.map(Some).map_err(|error| {
        Failure::Undone(format!("everything was erased, but {} cannot be read to see it: {error}", path.display()))
    })
}

fn lines(desk: &Desk, erasing: &Erasing, left: Option<&Remains>, forgets: bool) -> Vec<String> {
    let erased = erasing.erased;
    let many = |number: u64, noun| count(usize::try_from(number).unwrap_or(usize::MAX), noun);
    let mut lines = vec![format!(
        "Erased: {}, {}, {}, {}, {}; the address is no longer named in {} of others.",
        if erased.copies == 1 {
            "1 copy with its bytes".to_owned()
        } else {
            format!("{} copies with their bytes", erased.copies)
        },
        many(erased.invitations, "invitation"),
        many(erased.letters, "letter"),
        many(erased.decisions, "decision"),
        many(erased.reviews, "review"),
        many(erased.words, "row")
    )];
    lines.push(match forgets {
        true => "The suppression list knows nothing of the address: its next order is invited again.".to_owned(),
        false => "A keyed hash on the suppression list keeps letters from the address.".to_owned(),
    });
    if erasing.on_the_wire > 0 {
        lines.push("A letter was on the wire at that moment: it may still reach the person.".to_owned());
    }
    if !erasing.is_tidy {
        lines.push(
            "The log could not be emptied, since others use the database all the time; run this again.".to_owned(),
        );
    }
    if erasing.damaged > 0 {
        lines.push(format!(
            "{} could not be looked into, since the bytes are damaged.",
            if erasing.damaged == 1 { "1 copy".to_owned() } else { format!("{} copies", erasing.damaged) }
        ));
    }
    match (left, &desk.config.database) {
        (Some(left), _) => {
            for (file, bytes) in &left.files {
                lines.push(format!("Read {file}: {bytes} bytes."));
            }
            lines.push(format!("The address stands in {}.", count(usize::try_from(left.places).unwrap_or(usize::MAX), "place")));
        }
        (None, server) => lines.push(format!(
            "The tables of {server} were vacuumed and their statistics made anew. The server keeps what was deleted in its write-ahead \
             log until that is recycled, in archives of it and in backups; see docs/privacy.md."
        )),
    }
    lines.push("Backups, and files that were exported, are as they were.".to_owned());
    lines
}

fn unfinished(erasing: &Erasing, places: Option<u64>) -> String {
    if !erasing.named_by.is_empty() {
        let ids = erasing.named_by.iter().take(10).map(|id| id.to_string()).collect::<Vec<_>>();
        return format!("invitations of others name the address and were left alone: {}", ids.join(", "));
    }
    let places = places.unwrap_or(0);
    if erasing.is_tidy {
        format!(
            "the address still stands in {places} places of the file, where rows were moved within it; run this again with --rewrite"
        )
    } else {
        format!("the address still stands in {places} places of the files, in the log that others use; run this again")
    }
}
