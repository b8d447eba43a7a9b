//! From an invitation to the letter's bytes: links made, language chosen, Message-ID made, and all of it signed.

use std::convert::Infallible;

use hmac::{KeyInit, Mac};

use super::house::Setup;
use super::links::LetterLinks;
use crate::config::{ReturnPath, Shop};
use crate::document::Problem;
use crate::domain::{
    Customer, EmailAddress, Invitation, InvitationId, LetterId, LetterKind, OrderDetails, OrderReference, PersonName,
    Product, Progress, State, Timestamp, hex,
};
use crate::letter::{Composed, LetterData, Letters, Links, Sender, UnsubscribeMail};
use crate::link::return_address;
use crate::send::Outcome;
use crate::store::ClaimedLetter;

/// A letter ready for the relay.
pub(super) struct Ready {
    /// The message, header section and body.
    pub(super) message: Vec<u8>,
    /// Its Message-ID, without angle brackets.
    pub(super) message_id: String,
}

/// The envelope sender of a letter: its return address, or the shop's own address where the relay lets nothing else pass.
pub(super) fn return_path(setup: &Setup, shop: &Shop, relay: &str, letter: LetterId) -> EmailAddress {
    let relay = setup.config.relays.iter().find(|known| known.name == relay);
    if relay.is_some_and(|relay| relay.return_path == ReturnPath::From) {
        return shop.from.clone();
    }
    let local_part = return_address(&setup.keys.return_addresses, &shop.id, letter);
    // The ingest domain was checked with the configuration; one that is no mail domain all the same must not stop a letter.
    EmailAddress::parse(&format!("{local_part}@{}", setup.config.ingest_domain)).unwrap_or_else(|_| shop.from.clone())
}

/// Where a mail that unsubscribes goes, and its subject: to the letter's return address, where it is read at once. Where none of the
/// shop's letters has one it goes to the box that a person reads, and names the invitation for them.
fn unsubscribe_mail(setup: &Setup, shop: &Shop, letter: LetterId, invitation: InvitationId) -> (EmailAddress, String) {
    let own = |relay: &&String| return_path(setup, shop, relay, letter) != shop.from;
    match shop.relays.iter().find(own) {
        Some(relay) => (return_path(setup, shop, relay, letter), "unsubscribe".to_owned()),
        None => (shop.unsubscribe.clone(), format!("unsubscribe {invitation}")),
    }
}

/// The shop as its letters show it.
fn sender(shop: &Shop) -> Sender<'_> {
    Sender {
        shop: &shop.id,
        shop_name: &shop.name,
        from: &shop.from,
        from_name: &shop.from_name,
        reply_to: shop.reply_to.as_ref(),
        domain: shop.domains.first().map_or_else(|| shop.from.domain(), String::as_str),
        locale: &shop.locale,
        color: &shop.brand.color,
        logo: shop.brand.logo.as_deref(),
        postal_address: shop.postal_address.as_deref(),
    }
}

/// The same as a letter takes them.
fn borrowed(links: &LetterLinks) -> Links<'_> {
    Links {
        review: &links.review,
        stars: links.stars.as_ref(),
        later: links.later.as_deref(),
        unsubscribe: links.unsubscribe.as_deref(),
        data: links.data.as_deref(),
        view: links.view.as_deref(),
        about: links.about.as_deref(),
    }
}

/// Composes a claimed letter.
///
/// # Errors
/// In words for a support person, when the shop's letters or link cannot make one of this invitation.
pub(super) fn compose(setup: &Setup, shop: &Shop, letter: &ClaimedLetter, now: Timestamp) -> Result<Ready, String> {
    let invitation = &letter.invitation;
    let maker = setup.link_maker();
    let links = maker.of_letter(shop, invitation, letter.kind, maker.expires(now))?;
    let message_id = letter.message_id.clone().unwrap_or_else(|| message_id(setup, shop, invitation.id, letter.kind));
    let (to, subject) = unsubscribe_mail(setup, shop, letter.claim.letter, invitation.id);
    let composed = setup
        .letters
        .compose(&LetterData {
            kind: letter.kind,
            locale: invitation.order.locale.as_deref(),
            sender: sender(shop),
            customer: &invitation.customer,
            reference: &invitation.reference,
            products: &invitation.order.products,
            links: borrowed(&links),
            message_id: &message_id,
            date: now,
            unsubscribe_mail: UnsubscribeMail { to: &to, subject: &subject },
            is_test: false,
        })
        .map_err(|error| error.to_string())?;
    let message = setup.signers.sign(shop.from.domain(), composed.message)?;
    Ok(Ready { message, message_id })
}

/// What belongs to no invitation and to no letter: nothing is ever found under it.
const NOBODY: i64 = 0;

/// A made-up order of this shop, to look at its letters with.
pub fn made_up(shop: &Shop, locale: Option<&str>, now: Timestamp) -> Option<Invitation> {
    let product = |name: &str| Product { name: name.to_owned(), ..Product::default() };
    let products = vec![product("Table lamp, brass"), product("String lights, 10 m")];
    let email = EmailAddress::parse("anna@customer.example").ok()?;
    Some(Invitation {
        id: InvitationId(NOBODY),
        shop: shop.id.clone(),
        reference: OrderReference::parse("10045")?,
        customer: Customer { email, name: PersonName::parse("Anna Example") },
        order: OrderDetails { locale: locale.map(str::to_owned), products, ..OrderDetails::default() },
        progress: Progress::new(State::Waiting),
        round: 0,
        follows: None,
        link_series: 0,
        created_at: now,
        updated_at: now,
    })
}

/// A letter to look at, of a made-up order or of an invitation. Its links to our pages belong to no invitation, so that nothing
/// follows from clicking on them.
///
/// # Errors
/// In words for a support person, when the shop's letters or link cannot make one.
pub fn specimen(
    setup: &Setup,
    shop: &Shop,
    order: &Invitation,
    kind: LetterKind,
    is_test: bool,
    now: Timestamp,
) -> Result<Composed, String> {
    let order = Invitation { id: InvitationId(NOBODY), link_series: 0, ..order.clone() };
    let composed = to_look_at(setup, shop, &order, kind, is_test, setup.link_maker().expires(now), now)?;
    let message = setup.signers.sign(shop.from.domain(), composed.message)?;
    Ok(Composed { message, ..composed })
}

/// The HTML of the last letter about an invitation, for the browser. Its links are good until `expires`.
///
/// # Errors
/// In words for a support person, when the shop's letters or link cannot make one.
pub fn in_browser(
    setup: &Setup,
    shop: &Shop,
    invitation: &Invitation,
    expires: Timestamp,
    now: Timestamp,
) -> Result<String, String> {
    let is_first = invitation.progress.letters_sent <= 1;
    let kind = if is_first { LetterKind::Invitation } else { LetterKind::Reminder };
    Ok(to_look_at(setup, shop, invitation, kind, false, expires, now)?.html)
}

/// A letter that nobody sends, unsigned.
fn to_look_at(
    setup: &Setup,
    shop: &Shop,
    order: &Invitation,
    kind: LetterKind,
    is_test: bool,
    expires: Timestamp,
    now: Timestamp,
) -> Result<Composed, String> {
    let links = setup.link_maker().of_letter(shop, order, kind, expires)?;
    let (to, subject) = unsubscribe_mail(setup, shop, LetterId(NOBODY), order.id);
    let message_id = format!("{}.{}", now.0, message_id(setup, shop, order.id, kind));
    let letter = LetterData {
        kind,
        locale: order.order.locale.as_deref(),
        sender: sender(shop),
        customer: &order.customer,
        reference: &order.reference,
        products: &order.order.products,
        links: borrowed(&links),
        message_id: &message_id,
        date: now,
        unsubscribe_mail: UnsubscribeMail { to: &to, subject: &subject },
        is_test,
    };
    setup.letters.compose(&letter).map_err(|error| error.to_string())
}

/// Hands a made-up letter to the shop's first relay and records nothing. With the relay's name comes its answer.
///
/// # Errors
/// In words for a support person, when there is no letter, or the relay does not take it.
pub async fn send_test(
    setup: &Setup,
    shop: &Shop,
    to: EmailAddress,
    locale: Option<&str>,
    kind: LetterKind,
    now: Timestamp,
) -> Result<(String, String), String> {
    let mut order = made_up(shop, locale, now).ok_or("there is no made-up order")?;
    order.customer.email = to;
    let letter = specimen(setup, shop, &order, kind, true, now)?;
    let name = shop.relays.first().ok_or_else(|| format!("the shop {} has no relay", shop.id))?;
    let line = setup.relays.get(name).ok_or_else(|| format!("there is no relay {name}"))?;
    let from = return_path(setup, shop, name, LetterId(NOBODY));
    let slot = line.relay.reserve().await.ok_or_else(|| format!("the relay {name} takes no letters"))?;
    let recorded = || async { Ok::<(), Infallible>(()) };
    match slot.send(Some(&from), &order.customer.email, &letter.message, recorded).await {
        Outcome::Accepted { reply } => Ok((name.clone(), reply.to_string())),
        Outcome::TryLater { phase, reply } => Err(format!("{name} does not take it now: {phase}: {reply}")),
        Outcome::Refused { phase, reply } => Err(format!("{name} refuses it: {phase}: {reply}")),
        Outcome::Unavailable(trouble) => Err(format!("{name}: {trouble}")),
        Outcome::InDoubt { reason } => Err(format!("{name} may have taken it, nobody knows: {reason}")),
        Outcome::NotRecorded(never) => match never {},
    }
}

/// What is doubtful about a shop's letters as it would send them.
pub fn doubts(letters: &Letters, shop: &Shop) -> Vec<Problem> {
    letters.doubts(&sender(shop))
}

/// The same letter has the same Message-ID at every attempt, so that a receiver that got it twice can tell; nobody can guess it
/// without the key, so that an answer to it proves that the letter was seen.
fn message_id(setup: &Setup, shop: &Shop, invitation: InvitationId, kind: LetterKind) -> String {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&setup.keys.message_ids)
        .expect("HMAC takes keys of any length (RFC 2104)");
    mac.update(format!("{}/{invitation}/{}", shop.id, kind.as_str()).as_bytes());
    let tag = hex(&mac.finalize().into_bytes()[..12]);
    format!("{invitation}.{}.{tag}@{}", kind.as_str(), shop.from.domain())
}
