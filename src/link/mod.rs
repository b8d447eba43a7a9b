//! Where a letter's link leads: the shop's URL pattern filled in for one customer, and the signed token by which our own links
//! are known again. Keys come in as arguments; nothing here knows where they are kept.

mod pattern;
pub mod probe;
mod return_address;
pub mod token;

pub use pattern::{InvalidPattern, LinkData, UrlPattern};
pub use return_address::{letter_of, return_address};
pub use token::{InvalidToken, Purpose, Token, derive};
