//! The pages that customers see: a review's form and what follows it, unsubscribing, what is stored about them, how a shop's
//! reviews come about, and kind words where there is no page.
//!
//! [`Pages`] holds the templates of all locales, those that ship with the program and those with which an operator replaces
//! them. [`Pages::render`] makes the HTML of one [`Page`]: plain data in, and whatever of it came from outside is text on the page.
//! A page needs no script, loads nothing, and has one stylesheet in it, whose hash goes into the Content-Security-Policy.
//! `docs/pages.md` describes the files for those who write them.

mod facts;
mod language;
mod library;
mod render;
mod shipped;
#[cfg(test)]
mod tests;
mod trial;
mod view;
mod words;

pub use library::{PageFile, Pages};
pub use render::{RenderError, Rendered};
pub use view::{
    DataPage, Draft, FieldFault, FormField, Frame, LaterForm, Notice, OrderField, Page, Practice, ProductDraft, PutOff,
    ReviewForm, ShopFace, Stored, Target, Thanks, UnsubscribeForm, Unsubscribed, Wrong, fields,
};
