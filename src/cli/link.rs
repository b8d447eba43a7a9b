//! `invited link`: links for a shop's own mails, what a link of ours says, and the end of links.

use clap::{Args, Subcommand};

use super::import::shop_of;
use super::invite::Said;
use super::output::local;
use super::queue::named;
use super::who::Who;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::app::{link_keys, link_routes, load_config};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{Invitation, InvitationId, ShopId, Timestamp, Zone};
use crate::link::{InvalidTicket, InvalidToken, LinkKeys, OrderTicket, Place, Purpose, Site, Token};
use crate::ops::desk::{Found, find};
use crate::ops::links::{LinkMaker, OwnOrder};
use crate::store::Store as _;

/// The longest link: what mail programs and proxies are known to bear.
const LONGEST: usize = 2_000;

/// Makes links for a shop's own mails, says what a link is, and ends links.
#[derive(Debug, Subcommand)]
pub(super) enum Link {
    /// Makes a review link for one order, or for everybody, to put into a mail or a page of the shop's own
    Make(Make),
    /// Says what a link of ours is: whose, what for, until when, and whether it is good
    Check(Check),
    /// Ends the links in the letters about an order, but for those to unsubscribe; the next letter has new ones
    Revoke(Revoke),
}

/// For whom the link is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A link for one order, of the kind that the shop has configured:
    invited link make --shop nord --email anna@customer.example --name \"Anna Ek\" --reference LN-2204
  The same in German, about what was bought, for a program:
    invited link make --email ek@mail.example --reference 7 --locale de --product Cup --json
  The shop's link for everybody, for a receipt or a page:
    invited link make --shop nord --generic")]
pub(super) struct Make {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The shop; needed where there are several
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// The customer's address
    #[arg(long, value_name = "ADDRESS", required_unless_present = "generic")]
    email: Option<String>,
    /// The order's number, as the shop has it
    #[arg(long, value_name = "REF", required_unless_present = "generic")]
    reference: Option<String>,
    /// The customer's name
    #[arg(long)]
    name: Option<String>,
    /// The language of the mail (`sv`, `de-AT`); the shop's otherwise
    #[arg(long)]
    locale: Option<String>,
    /// What was bought (may be repeated)
    #[arg(long, value_name = "NAME")]
    product: Vec<String>,
    /// The link for everybody: who uses it says what it is about, and the review is not verified
    #[arg(long, conflicts_with_all = ["email", "reference", "name", "product"])]
    generic: bool,
}

/// Which link.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Why a customer cannot open the link of a letter:
    invited link check https://reviews.nord.example/r/AgEAAAAAAAAAEmfvOS
  The same with the customer and the order:
    invited link check --show AgEAAAAAAAAAEmfvOS")]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Show the customer and the order, too
    #[arg(long)]
    show: bool,
    /// The link, or what stands at its end
    link: String,
}

/// Whose links to end.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A letter went to somebody else than the customer:
    invited link revoke 4711 --reason \"went to her brother\"
  By the order's reference:
    invited link revoke LN-2204")]
pub(super) struct Revoke {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Take a number as an id, also where an order has the same number
    #[arg(long)]
    id: bool,
    #[command(flatten)]
    who: Who,
    /// An invitation's id; or an order's reference or a customer's address that means one invitation only
    #[arg(value_name = "ID")]
    invitation: String,
}

impl Link {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Make(make) => make.run(),
            Self::Check(check) => check.run().await,
            Self::Revoke(revoke) => revoke.run().await,
        }
    }
}

impl Make {
    /// Without the database: a shop's web server that makes links need not be able to read the queue.
    fn run(self) -> Result<(), Failure> {
        let config = load_config(&self.config.config).map_err(Failure::Config)?;
        let shop = shop_of(&config, self.shop.as_deref())?;
        let keys = link_keys(&config).map_err(Failure::Config)?;
        let routes = link_routes(&config).map_err(Failure::Config)?;
        let maker = LinkMaker::new(&config, &keys, &routes);
        let locale = self.locale.as_deref().unwrap_or(&shop.locale);
        let (link, expires) = match (&self.email, &self.reference) {
            (Some(email), Some(reference)) => {
                let (name, locale) = (self.name.as_deref(), self.locale.as_deref());
                let said = Said { email, reference, name, locale, products: &self.product };
                let (customer, reference, order) = said.order()?;
                let ticket = OrderTicket {
                    shop: shop.id.clone(),
                    email: customer.email,
                    name: customer.name,
                    reference,
                    products: order.products.into_iter().map(|product| product.name).collect(),
                    expires: maker.expires(Clock::System.now()),
                };
                let locale = order.locale.as_deref().unwrap_or(&shop.locale);
                let link = maker.of_order(OwnOrder { ticket: &ticket, locale }).map_err(Failure::Undone)?;
                (link, Some(ticket.expires))
            }
            _ => (maker.generic(&shop.id, locale).map_err(Failure::Undone)?, None),
        };
        if link.len() > LONGEST {
            let why =
                format!("the link would have {} characters, more than {LONGEST}; name fewer products", link.len());
            return Err(Failure::Undone(why));
        }
        let mut out = Output::new();
        if self.json.json {
            // Who else's page it leads to says itself until when the link is good.
            let expires = expires.filter(|_| maker.site().is_some_and(|site| site.place(&link).is_some()));
            let expires = expires.map(|at| at.to_string());
            return Ok(out.json(&serde_json::json!({ "shop": shop.id, "link": link, "expires": expires }))?);
        }
        Ok(out.line(link)?)
    }
}

/// What a text turned out to be.
enum Read {
    Token(Purpose, Token),
    Ticket(OrderTicket),
    Shop(ShopId),
}

/// The same with what is wrong with it.
struct Seen {
    read: Read,
    key: Option<u8>,
    expires: Option<Timestamp>,
    /// Of a letter's link.
    invitation: Option<Invitation>,
    /// `valid`, or what is wrong.
    state: &'static str,
}

impl Check {
    async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let keys = link_keys(&desk.config).map_err(Failure::Config)?;
        let now = desk.clock.now();
        let Some(read) = read(&desk.config, &keys, &self.link, now) else {
            return Err(Failure::Undone(stranger(&self.link, &keys)));
        };
        let seen = judged(&desk, read, now).await?;
        self.tell(&desk.zone_of(seen.shop()), &seen)?;
        match seen.state {
            "valid" => Ok(()),
            "gone" => Err(Failure::Undone("the link is not good: its invitation is not there any more".to_owned())),
            state => Err(Failure::Undone(format!("the link is not good: it is {state}"))),
        }
    }

    fn tell(&self, zone: &Zone, seen: &Seen) -> Result<(), Failure> {
        let mut out = Output::new();
        let (purpose, shop) = (seen.purpose(), seen.shop());
        let shown = self.show.then(|| seen.shown()).flatten();
        if self.json.json {
            return Ok(out.json(&serde_json::json!({
                "shop": shop,
                "purpose": purpose,
                "state": seen.state,
                "key": seen.key,
                "expires": seen.expires.map(|at| at.to_string()),
                "invitation": seen.invitation.as_ref().map(|one| one.id),
                "email": shown.as_ref().map(|shown| &shown.email),
                "name": shown.as_ref().and_then(|shown| shown.name.as_ref()),
                "reference": shown.as_ref().map(|shown| &shown.reference),
                "products": shown.as_ref().map(|shown| &shown.products),
            }))?);
        }
        out.line(format!("Shop:        {shop}"))?;
        out.line(format!("For:         {purpose}"))?;
        if let Some(key) = seen.key {
            let until = seen.expires.map_or_else(|| "its key is taken away".to_owned(), |at| local(at, zone));
            out.line(format!("Key:         {key}"))?;
            out.line(format!("Good until:  {until}"))?;
        }
        if let Some(invitation) = &seen.invitation {
            out.line(format!("Invitation:  {}", invitation.id))?;
        }
        if let Some(shown) = shown {
            let name = shown.name.map(|name| format!(" ({name})")).unwrap_or_default();
            out.line(format!("Customer:    {}{name}", shown.email))?;
            out.line(format!("Order:       {}", shown.reference))?;
            for product in shown.products {
                out.line(format!("Product:     {product}"))?;
            }
        }
        out.line(format!("State:       {}", seen.state))?;
        Ok(())
    }
}

/// What `--show` shows.
struct Shown {
    email: String,
    name: Option<String>,
    reference: String,
    products: Vec<String>,
}

impl Seen {
    fn shop(&self) -> &ShopId {
        match &self.read {
            Read::Token(_, token) => &token.shop,
            Read::Ticket(ticket) => &ticket.shop,
            Read::Shop(shop) => shop,
        }
    }

    fn purpose(&self) -> &'static str {
        match &self.read {
            Read::Token(purpose, _) => purpose.as_str(),
            Read::Ticket(_) => "order",
            Read::Shop(_) => "everybody",
        }
    }

    fn shown(&self) -> Option<Shown> {
        if let Read::Ticket(ticket) = &self.read {
            return Some(Shown {
                email: ticket.email.as_str().to_owned(),
                name: ticket.name.as_ref().map(ToString::to_string),
                reference: ticket.reference.to_string(),
                products: ticket.products.clone(),
            });
        }
        let one = self.invitation.as_ref()?;
        Some(Shown {
            email: one.customer.email.as_str().to_owned(),
            name: one.customer.name.as_ref().map(ToString::to_string),
            reference: one.reference.to_string(),
            products: one.order.products.iter().map(|product| product.name.clone()).collect(),
        })
    }
}

/// What in a link was made by us: all of it where it leads to our pages, or else any part between its delimiters.
fn read(config: &Config, keys: &LinkKeys, link: &str, now: Timestamp) -> Option<(Read, Option<u8>)> {
    let site = config.pages.as_ref().map(|pages| Site::new(&pages.url));
    let place = site.as_ref().and_then(|site| site.place(link));
    if let Some(Place::Shop(shop) | Place::About(shop)) = place {
        let shop = ShopId::parse(shop).ok()?;
        return config.shops.iter().any(|known| known.id == shop).then_some((Read::Shop(shop), None));
    }
    parts(link).find_map(|part| {
        let token = Purpose::ALL.into_iter().find_map(|purpose| match Token::verify(keys, purpose, part, now) {
            Ok(token) | Err(InvalidToken::Expired(token)) => Some(Read::Token(purpose, token)),
            Err(InvalidToken::Forged) => None,
        });
        let key = || Token::claimed_key(part).or_else(|| OrderTicket::claimed_key(part));
        let ticket = || match OrderTicket::open(keys, part, now) {
            Ok(ticket) => Some(Read::Ticket(ticket)),
            Err(InvalidTicket::Expired(ticket)) => Some(Read::Ticket(*ticket)),
            Err(InvalidTicket::Forged) => None,
        };
        Some((token.or_else(ticket)?, key()))
    })
}

fn parts(link: &str) -> impl Iterator<Item = &str> {
    link.trim().split(['/', '?', '&', '=', '#']).filter(|part| !part.is_empty())
}

/// What is said of a link that is not ours, or not any more.
fn stranger(link: &str, keys: &LinkKeys) -> String {
    let known = keys.ids().collect::<Vec<_>>();
    let claimed = parts(link).find_map(|part| Token::claimed_key(part).or_else(|| OrderTicket::claimed_key(part)));
    match claimed.filter(|key| !known.contains(key)) {
        Some(key) => format!(
            "that is no link of ours now: it names the key {key}, which [[link_key]] does not list; it was taken away, or the link \
             was changed on its way"
        ),
        None => "that is no link of ours: no part of it was issued here; see that it is whole".to_owned(),
    }
}

/// With what the queue knows of it.
async fn judged(desk: &Desk, (read, key): (Read, Option<u8>), now: Timestamp) -> Result<Seen, Failure> {
    let (expires, invitation, state) = match &read {
        Read::Shop(_) => (None, None, "valid"),
        Read::Ticket(ticket) => (Some(ticket.expires), None, if now >= ticket.expires { "expired" } else { "valid" }),
        Read::Token(purpose, token) => {
            let one = match purpose {
                Purpose::Basic => None,
                _ => invitation(desk, InvitationId(token.number)).await?.filter(|one| one.shop == token.shop),
            };
            let state = match &one {
                None if *purpose != Purpose::Basic => "gone",
                _ if !purpose.has_an_end() => "valid",
                Some(one) if token.series < one.link_series => "revoked",
                _ if now >= token.expires => "expired",
                _ => "valid",
            };
            (purpose.has_an_end().then_some(token.expires), one, state)
        }
    };
    Ok(Seen { read, key, expires, invitation, state })
}

async fn invitation(desk: &Desk, id: InvitationId) -> Result<Option<Invitation>, Failure> {
    match find(&desk.store, &id.to_string(), true).await? {
        Found::One(one) => Ok(Some(*one)),
        Found::Nothing | Found::Several(_) => Ok(None),
    }
}

impl Revoke {
    async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let word = self.invitation;
        let there_is_none = || Failure::Undone(format!("there is no invitation {word:?}"));
        let one = named(&desk, &word, self.id).await?.ok_or_else(there_is_none)?;
        let series =
            desk.store.revoke_links(one.id, &self.who.actor(), desk.clock.now()).await?.ok_or_else(there_is_none)?;
        if series == one.link_series {
            let why = format!("the links of invitation {} were revoked 255 times, and can be no more", one.id);
            return Err(Failure::Undone(why));
        }
        let mut out = Output::new();
        if self.json.json {
            return Ok(out.json(&serde_json::json!({ "id": one.id, "series": series }))?);
        }
        Ok(out.line(format!(
            "The links in letters of invitation {} are revoked, but for those to unsubscribe; the next letter has new ones.",
            one.id
        ))?)
    }
}
