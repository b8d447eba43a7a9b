//! Order mails of a given size: HTML with a table of products in inline styles, as shop systems write them, and the order once
//! more as schema.org.

use std::fmt::Write;

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
