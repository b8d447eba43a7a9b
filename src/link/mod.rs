//! Where a letter's link leads: the shop's URL pattern filled in for one customer, our own pages with the signed tokens and sealed
//! tickets by which their links are known again, or another service with the links that it knows again. Keys and randomness come in
//! as arguments; nothing here knows where they are kept.

mod keys;
mod pattern;
pub mod probe;
mod return_address;
mod routes;
mod sealed;
pub mod site;
pub mod ticket;
pub mod token;
mod trustpilot;

pub use keys::{LinkKeys, derive};
pub use pattern::{InvalidPattern, LinkData, UrlPattern};
pub use return_address::{letter_of, return_address};
pub use routes::{Route, Routes, Target, covers};
pub use site::{Place, Site};
pub use ticket::{InvalidTicket, OrderTicket};
pub use token::{InvalidToken, Purpose, Token};
pub use trustpilot::{BusinessGenerated, LinkedOrder, NoTrustpilotKey, TrustpilotPage, UniqueLink};
