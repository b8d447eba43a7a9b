//! Order tickets: links that a shop makes itself and puts into its own mails. Nothing about such an order need be stored before it is
//! used, so the ticket carries the customer and the order with it, sealed: no address stands readable in a URL, and nobody but the
//! shop's own service can make one.

use base64ct::{Base64UrlUnpadded, Encoding};

use super::keys::LinkKeys;
use crate::domain::{EmailAddress, OrderReference, PersonName, ShopId, Timestamp, clean};

/// The first byte of every ticket. Tokens begin with another, so that neither passes for the other.
const VERSION: u8 = 0x81;
/// Characters of a product's name.
const PRODUCT: usize = 200;

/// One order that its customer may review.
#[derive(Clone, PartialEq, Eq)]
pub struct OrderTicket {
    /// The shop that made the link.
    pub shop: ShopId,
    /// The customer.
    pub email: EmailAddress,
    /// The customer's name.
    pub name: Option<PersonName>,
    /// The order.
    pub reference: OrderReference,
    /// The names of what was ordered.
    pub products: Vec<String>,
    /// From this instant on the ticket is refused; whole seconds.
    pub expires: Timestamp,
}

/// Why a text is no ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTicket {
    /// Not made by us with a key that is in use. Say no more to a stranger.
    #[error("the link was not issued here")]
    Forged,
    /// Ours, but too old.
    #[error("the link has expired")]
    Expired(Box<OrderTicket>),
}

/// What stands in a ticket: expiry in seconds, shop, address, name, reference, products.
type Content<'a> = (i64, &'a str, &'a str, Option<&'a str>, &'a str, &'a [String]);
type Opened = (i64, String, String, Option<String>, String, Vec<String>);

impl OrderTicket {
    /// The ticket as text `[A-Za-z0-9_-]`, sealed with the first key; 150 characters and more, by what stands in it. `iv` must be
    /// random. The expiry is kept in whole seconds, rounded up.
    pub fn seal(&self, keys: &LinkKeys, iv: [u8; 16]) -> String {
        let seconds = self.expires.0.saturating_add(999).div_euclid(1000);
        let name = self.name.as_ref().map(PersonName::as_str);
        let (shop, email, reference) = (self.shop.as_str(), self.email.as_str(), self.reference.as_str());
        let content: Content<'_> = (seconds, shop, email, name, reference, &self.products);
        let text = serde_json::to_vec(&content).expect("texts and numbers are always JSON");
        let key = keys.signs();
        let head = [VERSION, key.id];
        Base64UrlUnpadded::encode_string(&[&head[..], &key.tickets.seal(&head, iv, &text)].concat())
    }

    /// Opens a ticket. Of texts of one length all that are refused take the same time, whatever is wrong with them.
    ///
    /// # Errors
    /// [`InvalidTicket::Expired`] only for a ticket that is otherwise ours.
    pub fn open(keys: &LinkKeys, text: &str, now: Timestamp) -> Result<Self, InvalidTicket> {
        let bytes = Base64UrlUnpadded::decode_vec(text).ok();
        // What is no base64 is looked at as if it had been.
        let bytes = bytes.as_deref().unwrap_or(&text.as_bytes()[..text.len() / 4 * 3]);
        let (head, sealed) = bytes.split_first_chunk::<2>().unwrap_or((&[0, 0], &[]));
        let (key, is_known) = keys.of(head[1]);
        let opened = key.tickets.open(head, sealed);
        let ticket = opened.filter(|_| is_known && head[0] == VERSION).and_then(|text| Self::read(&text));
        match ticket.ok_or(InvalidTicket::Forged)? {
            ticket if now >= ticket.expires => Err(InvalidTicket::Expired(Box::new(ticket))),
            ticket => Ok(ticket),
        }
    }

    /// Text from outside stood in it once, so it is checked here as everywhere.
    fn read(text: &[u8]) -> Option<Self> {
        let (seconds, shop, email, name, reference, products) = serde_json::from_slice::<Opened>(text).ok()?;
        Some(Self {
            shop: ShopId::parse(&shop).ok()?,
            email: EmailAddress::parse(&email).ok()?,
            name: name.as_deref().and_then(PersonName::parse),
            reference: OrderReference::parse(&reference)?,
            products: products.iter().map(|name| clean(name, PRODUCT)).collect(),
            expires: Timestamp::from_seconds(seconds),
        })
    }

    /// The number of the key that a text claims to be sealed with, true or not; `None` when it has not the shape of a ticket.
    pub fn claimed_key(text: &str) -> Option<u8> {
        match Base64UrlUnpadded::decode_vec(text).ok()?.as_slice() {
            [VERSION, key, ..] => Some(*key),
            _ => None,
        }
    }
}

/// Without the customer.
impl std::fmt::Debug for OrderTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { shop, expires, email: _, name: _, reference: _, products } = self;
        f.debug_struct("OrderTicket")
            .field("shop", shop)
            .field("expires", expires)
            .field("products", &products.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_251_600);
    const LATER: Timestamp = Timestamp::from_seconds(1_795_251_600 + 180 * 86_400);

    fn keys() -> LinkKeys {
        LinkKeys::new((1, [1; 32]), [])
    }

    fn ticket() -> OrderTicket {
        OrderTicket {
            shop: ShopId::parse("nordljus").unwrap(),
            email: EmailAddress::parse("anna+shop@customer.example").unwrap(),
            name: PersonName::parse("Åsa \"Ace\" O'Neill & <b>").map(Some).unwrap(),
            reference: OrderReference::parse("A/1?x=#2\"}").unwrap(),
            products: vec!["Lamp \"Björk\", 40\u{a0}W \\ {{ 7 * 7 }}".to_owned(), "茶碗".to_owned()],
            expires: LATER,
        }
    }

    #[test]
    fn a_ticket_comes_back_as_it_was_made_and_shows_nobody() {
        let text = ticket().seal(&keys(), [5; 16]);
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{text}");
        let back = OrderTicket::open(&keys(), &text, NOW).unwrap();
        // No-break spaces are blanks, as wherever a text comes in.
        let products = vec!["Lamp \"Björk\", 40 W \\ {{ 7 * 7 }}".to_owned(), "茶碗".to_owned()];
        assert_eq!(back, OrderTicket { products, ..ticket() });
        assert_ne!(text, ticket().seal(&keys(), [6; 16]), "each vector gives another");
        let shown = format!("{back:?} {:?}", OrderTicket::open(&keys(), &text, LATER));
        assert!(!["anna", "sa ", "A/1", "Lamp"].iter().any(|part| shown.contains(part)), "{shown}");
        let plain = OrderTicket { name: None, products: Vec::new(), ..ticket() };
        assert_eq!(OrderTicket::open(&keys(), &plain.seal(&keys(), [5; 16]), NOW), Ok(plain));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let bytes = Base64UrlUnpadded::decode_vec(&ticket().seal(&keys(), [5; 16])).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let text = Base64UrlUnpadded::encode_string(&changed);
            assert_eq!(OrderTicket::open(&keys(), &text, NOW), Err(InvalidTicket::Forged), "bit {bit}");
        }
    }

    #[test]
    fn every_changed_missing_or_added_character_is_refused() {
        let text = ticket().seal(&keys(), [5; 16]);
        for at in 0..text.len() {
            for other in ['A', '_', '=', ' ', '\u{e5}'] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert_eq!(OrderTicket::open(&keys(), &changed, NOW).is_ok(), changed == text, "{changed}");
            }
            assert!(OrderTicket::open(&keys(), &text[..at], NOW).is_err());
        }
        for more in ["A", "=", "AAAA", "\n", &"A".repeat(20_000)] {
            assert!(OrderTicket::open(&keys(), &format!("{text}{more}"), NOW).is_err());
        }
    }

    #[test]
    fn a_ticket_is_good_while_its_key_is_listed_and_until_it_ends() {
        let text = ticket().seal(&keys(), [5; 16]);
        let rotated = LinkKeys::new((2, [2; 32]), [(1, [1; 32])]);
        assert!(OrderTicket::open(&rotated, &text, NOW).is_ok());
        let removed = LinkKeys::new((2, [2; 32]), []);
        assert_eq!(OrderTicket::open(&removed, &text, NOW), Err(InvalidTicket::Forged));
        let renamed = LinkKeys::new((1, [2; 32]), [(2, [1; 32])]);
        assert_eq!(OrderTicket::open(&renamed, &text, NOW), Err(InvalidTicket::Forged));
        assert!(matches!(OrderTicket::open(&keys(), &text, LATER), Err(InvalidTicket::Expired(_))));
        assert_eq!(OrderTicket::claimed_key(&text), Some(1));
    }
}
