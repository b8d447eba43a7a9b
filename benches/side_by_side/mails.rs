//! Order mails of a given size: HTML with a table of products in inline styles, as shop systems write them, and the order once
//! more as schema.org. Each mail of a run tells of an order of its own, and all have the same octets.

use std::fmt::Write;

use invited::domain::Reading;
use invited::read::{Context, Reader, Templates};

/// Stands in the pattern wherever a mail has its number; as long as the numbers are.
const MARK: &[u8] = b"########";

/// As it goes over the wire after DATA, its numbers left open. Made once and stamped for each message, so that a client spends
/// its time on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    wire: Vec<u8>,
    places: Vec<usize>,
}

impl Pattern {
    /// Of mails with about `octets`.
    pub(crate) fn new(octets: usize) -> Self {
        let mail = order("########-2026", "customer########@example.net", octets);
        // No line begins with a dot, so none needs another one.
        let wire = (mail.replace('\n', "\r\n") + ".\r\n").into_bytes();
        let places = wire.windows(MARK.len()).enumerate().filter(|(_, octets)| *octets == MARK).map(|(at, _)| at);
        Self { places: places.collect(), wire }
    }

    /// The octets, the final dot included; [`Self::stamp`] gives them a number.
    pub(crate) fn blank(&self) -> Vec<u8> {
        self.wire.clone()
    }

    /// Makes the mail in `wire`, which began as a [`Self::blank`], one of order `number` (eight digits).
    pub(crate) fn stamp(&self, wire: &mut [u8], number: u64) {
        let digits: [u8; 8] = std::array::from_fn(|at| b'0' + (number / 10_u64.pow(7 - at as u32) % 10) as u8);
        for place in &self.places {
            wire[*place..*place + digits.len()].copy_from_slice(&digits);
        }
    }
}

/// An order mail of about `octets`, with bare line feeds.
pub(crate) fn order(reference: &str, email: &str, octets: usize) -> String {
    let mut mail = format!(
        "From: Nordljus <orders@shop.example.com>\nTo: Anna Example <{email}>\nSubject: Your order {reference} has been received\n\
         Date: Mon, 2 Mar 2026 09:00:00 +0000\nMessage-ID: <{reference}.order@shop.example.com>\nMIME-Version: 1.0\n\
         Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\
         <!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Thank you for your order</title>\n\
         <script type=\"application/ld+json\">{{\"@context\":\"https://schema.org/\",\"@type\":\"Order\",\
         \"orderNumber\":\"{reference}\",\"orderStatus\":\"https://schema.org/OrderProcessing\",\
         \"orderDate\":\"2026-03-02T09:00:00Z\",\"customer\":{{\"@type\":\"Person\",\"name\":\"Anna Example\"}},\
         \"billingAddress\":{{\"@type\":\"PostalAddress\",\"email\":\"{email}\"}}}}</script>\n\
         </head><body>\n<h1>Thank you for your order</h1>\n\
         <p>Hi Anna, we have received your order {reference}, and it is being packed now.</p>\n<table>\n"
    );
    let end = "</table>\n<p>Nordljus, 1 Harbour Street, Example Town</p>\n</body></html>\n";
    for row in 1.. {
        if mail.len() + end.len() + 330 > octets {
            break;
        }
        let _ = write!(
            mail,
            "<tr><td class=\"td\" style=\"color:#636363;border:1px solid #e5e5e5;padding:12px;text-align:left;vertical-align:middle;\
             font-family:'Helvetica Neue',Helvetica,Roboto,Arial,sans-serif;word-wrap:break-word\">Lamp no. {row}-{:x}</td>\n\
             <td class=\"td\" style=\"color:#636363;border:1px solid #e5e5e5;padding:12px;text-align:left\">{}</td>\n\
             <td>{}.50 EUR</td></tr>\n",
            row * 7919,
            row % 3 + 1,
            row * 13 % 90
        );
    }
    mail + end
}

/// What the daemon reads from a mail of ours.
pub(crate) fn read(mail: &str) -> Reading {
    Reader::new(Templates::embedded()).read(mail.as_bytes(), &Context::default())
}
