//! From an invitation to the letter's bytes: links made, language chosen, Message-ID made, and all of it signed.

use hmac::{KeyInit, Mac};

use super::house::Setup;
use crate::config::{ReturnPath, Shop};
use crate::domain::{EmailAddress, InvitationId, LetterId, LetterKind, Timestamp};
use crate::letter::{LetterData, Links, Sender, UnsubscribeMail};
use crate::link::return_address;
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

/// Composes a claimed letter.
///
/// # Errors
/// In words for a support person, when the shop's letters or link cannot make one of this invitation.
pub(super) fn compose(setup: &Setup, shop: &Shop, letter: &ClaimedLetter, now: Timestamp) -> Result<Ready, String> {
    let invitation = &letter.invitation;
    let links = setup.link_maker().of_letter(shop, invitation, letter.kind, now)?;
    let message_id = letter.message_id.clone().unwrap_or_else(|| message_id(setup, shop, invitation.id, letter.kind));
    let locale = invitation.order.locale.as_deref();
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
                review: &links.review,
                stars: links.stars.as_ref(),
                later: links.later.as_deref(),
                unsubscribe: links.unsubscribe.as_deref(),
                data: links.data.as_deref(),
                view: links.view.as_deref(),
                about: links.about.as_deref(),
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
