//! From an invitation to the letter's bytes: links made, language chosen, Message-ID made, and all of it signed.

use std::time::Duration;

use hmac::{KeyInit, Mac};

use super::house::Setup;
use crate::config::{ReturnPath, Shop};
use crate::domain::{DAY, EmailAddress, InvitationId, LetterId, LetterKind, Timestamp};
use crate::letter::{LetterData, Links, Sender, UnsubscribeMail};
use crate::link::{LinkData, Purpose, Token, return_address};
use crate::store::ClaimedLetter;

/// How long the links in a letter are good for (product, section 5).
const LINKS_LAST: Duration = DAY.saturating_mul(180);

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

/// Composes a claimed letter.
///
/// # Errors
/// In words for a support person, when the shop's letters or link cannot make one of this invitation.
pub(super) fn compose(setup: &Setup, shop: &Shop, letter: &ClaimedLetter, now: Timestamp) -> Result<Ready, String> {
    let invitation = &letter.invitation;
    let expires = now.plus(LINKS_LAST);
    let token = Token { shop: shop.id.clone(), number: invitation.id.0, series: 0, expires };
    let review_token = token.sign(&setup.keys.links, Purpose::Review);
    let message_id = letter.message_id.clone().unwrap_or_else(|| message_id(setup, shop, invitation.id, letter.kind));
    let locale = invitation.order.locale.as_deref();
    let data = LinkData {
        email: &invitation.customer.email,
        name: invitation.customer.name.as_ref(),
        reference: &invitation.reference,
        token: &review_token,
        shop: &shop.id,
        locale: locale.unwrap_or(&shop.locale),
        letter: letter.kind.as_str(),
    };
    let link = shop.link.expand(&data);
    let star_links = shop.link.star_links(&data);
    let (unsubscribe_to, unsubscribe_subject) = unsubscribe_mail(setup, shop, letter.claim.letter, invitation.id);
    let composed = setup
        .letters
        .compose(&LetterData {
            kind: letter.kind,
            locale,
            sender: Sender {
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
            },
            customer: &invitation.customer,
            reference: &invitation.reference,
            products: &invitation.order.products,
            links: Links {
                review: &link,
                stars: star_links.as_ref(),
                later: None,
                unsubscribe: None,
                data: None,
                view: None,
                about: None,
            },
            message_id: &message_id,
            date: now,
            unsubscribe_mail: UnsubscribeMail { to: &unsubscribe_to, subject: &unsubscribe_subject },
        })
        .map_err(|error| error.to_string())?;
    let message = setup.signers.sign(shop.from.domain(), composed.message)?;
    Ok(Ready { message, message_id })
}

/// The same letter has the same Message-ID at every attempt, so that a receiver that got it twice can tell; nobody can guess it
/// without the key, so that an answer to it proves that the letter was seen.
fn message_id(setup: &Setup, shop: &Shop, invitation: InvitationId, kind: LetterKind) -> String {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&setup.keys.message_ids)
        .expect("HMAC takes keys of any length (RFC 2104)");
    mac.update(format!("{}/{invitation}/{}", shop.id, kind.as_str()).as_bytes());
    let tag = mac.finalize().into_bytes()[..12].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("{invitation}.{}.{tag}@{}", kind.as_str(), shop.from.domain())
}
