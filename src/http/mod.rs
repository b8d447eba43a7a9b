//! HTTP: a listener that bears what the internet does to it ([`serve`]), and the pages, a router for each purpose: [`monitoring`], figures
//! and health for those who run the service, and [`pages`], what the shops' customers see.

mod client;
mod form;
mod form_token;
mod hook;
mod meter;
mod monitoring;
mod pages;
mod serve;
mod signature;
#[cfg(test)]
mod tests;

pub use monitoring::monitoring;
pub use pages::{Reception, pages};
pub use serve::{Bounds, Front, Handshake, serve};
