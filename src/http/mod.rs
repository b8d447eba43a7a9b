//! HTTP: a listener that bears what the internet does to it ([`serve`]), and the pages, a router for each purpose. Today there is one,
//! [`monitoring`]: figures and health for those who run the service.

mod monitoring;
mod serve;
#[cfg(test)]
mod tests;

pub use monitoring::monitoring;
pub use serve::{Bounds, serve};
