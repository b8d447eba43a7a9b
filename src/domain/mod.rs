//! What the product is about, and nothing about how it is run: addresses, orders, what was read from a copy, invitations
//! and the rules that move them. No clock, no I/O, no randomness: all of that comes in as arguments.

mod address_class;
mod answer;
mod complaints;
mod doubt;
mod email_address;
mod handed;
mod hex;
mod holidays;
mod ids;
mod inputs;
mod invitation;
mod lifecycle;
mod order;
mod outturn;
mod place;
mod policy;
mod reading;
mod reason;
mod review;
mod rule;
mod sample;
mod schedule;
mod shop;
mod simulate;
mod spread;
mod suppression;
mod text;
mod time;
pub mod trust;
mod watch;
mod weigh;
mod window;

pub use address_class::{AddressClass, AddressClassSet, AddressClasses};
pub(crate) use address_class::{are_related, within};
pub use answer::{AnswerKind, Hardness, InvalidMailStatus, MailStatus};
pub use complaints::{Complaints, Concern};
pub use doubt::{
    Doubt, SenderState, USUAL_DAYS, USUAL_FLOOR, Volume, blocked_sender, look_again_at, new_sender, too_many,
};
pub(crate) use email_address::host_name;
pub use email_address::{AddressKey, EmailAddress, InvalidAddress};
pub use handed::{Handed, Way};
pub use hex::hex;
pub use holidays::{HolidayCalendar, Holidays, InvalidHoliday, weekday_named};
pub use ids::{CopyId, InvitationId, LetterId, ReviewId};
pub use inputs::Inputs;
pub use invitation::{Invitation, LetterKind, OrderDetails};
pub use lifecycle::{
    Attempt, CustomerNews, Decision, DeskOrder, Event, Gap, OrderNews, Planned, Progress, PutOffs, State, decide, open,
    open_again, open_by_hand,
};
pub use order::{Customer, EventKind, OrderDate, OrderEvent, OrderReference, PersonName, Product, Total};
pub use outturn::Outturn;
pub use place::{Place, Places};
pub use policy::{Cap, CapScope, Consent, DAY, Fallback, InDoubt, Policies, Policy, ShopRules, Trigger, When};
pub use reading::{Field, Finding, Layer, Outcome, Reading};
pub use reason::kind_of_reason;
pub use review::{Collected, Draft, Flaw, Review, ReviewField, ReviewKind, ReviewText, Stars, Submission};
pub use rule::Rule;
pub use sample::{InvalidShare, Share, is_in_sample, percentile};
pub use schedule::{alarmed_relay_retry_after, relay_retry_after, retry_after};
pub use shop::{InvalidShopId, ShopId};
pub use simulate::{Deferral, Fate, History, List, Outside, Step, Watch, World, play};
pub use spread::spread;
pub use suppression::{InvalidEntry, ListKey, ListKind, ListReason, SuppressionEntry, lookup_keys};
pub use text::{clean, is_invisible};
pub use time::{Timestamp, Zone};
pub use watch::{AlarmKind, Facts, HOUR, Hour, Verdict, held_alarm, silent_alarm};
pub use weigh::{Case, Ground, PastLetter, Ruling, Suppressed, admit, product_keys, weigh};
pub use window::{Hours, InvalidHours, SendWindow, Weekdays};
