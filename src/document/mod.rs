//! TOML documents that people write (configuration, templates, letter catalogues), read so that **every** mistake is reported
//! at once, with its place and the way out: `file:line:column: key: what is wrong; remedy`.
//!
//! A [`Document`] is parsed into a tree that knows where each value stands. A [`Table`] hands its values out by key and type,
//! notes a [`Problem`] for each one that is wrong, and in the end the keys that nobody asked for are reported.

mod problem;
mod table;

pub use problem::{Problem, Problems};
pub use table::{Document, Entry, Table};
