//! What the product is about, and nothing about how it is run: addresses, orders, what was read from a copy, invitations
//! and the rules that move them. No clock, no I/O, no randomness: all of that comes in as arguments.

mod email_address;
mod ids;
mod invitation;
mod lifecycle;
mod order;
mod policy;
mod reading;
mod rule;
mod schedule;
mod shop;
mod text;
mod time;

pub(crate) use email_address::host_name;
pub use email_address::{AddressKey, EmailAddress, InvalidAddress};
pub use ids::{CopyId, InvitationId, LetterId};
pub use invitation::{Invitation, LetterKind, OrderDetails};
pub use lifecycle::{Attempt, Decision, DeskOrder, Event, OrderNews, Progress, State, decide, open};
pub use order::{Customer, EventKind, OrderDate, OrderEvent, OrderReference, PersonName, Product, Total};
pub use policy::{DAY, InDoubt, Policies, Policy, Trigger};
pub use reading::{Field, Finding, Layer, Outcome, Reading};
pub use rule::Rule;
pub use schedule::{relay_retry_after, retry_after};
pub use shop::{InvalidShopId, ShopId};
pub use text::{clean, is_invisible};
pub use time::{Timestamp, Zone};
