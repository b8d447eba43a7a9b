//! A crowd of clients, held to what each may take: how many there are at one time ([`Slots`]), and how often something happened
//! lately ([`Rates`]). For every listener, whatever it speaks.

mod rates;
mod slots;

pub(crate) use rates::Rates;
pub(crate) use slots::{Places, Slot, Slots, places_by_descriptors};
