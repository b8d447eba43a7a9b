//! How a mail was read, for people: what the reader saw, every rule that it tried, and what came of it. It reads the mail a second
//! time for that, so that reading itself keeps no record.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::body::Body;
use super::customer::Ours;
use super::evidence::locale;
use super::forward::{self, Forwarded};
use super::message::Message;
use super::readable::Readable;
use super::template::{Class, Counts, Step, Templates};
use super::{Context, FORWARDS, Reader};
use crate::domain::Reading;

/// A mail with how it was read.
pub struct Explanation {
    /// The mail that was read; none when it cannot be taken apart.
    pub mail: Option<Readable>,
    /// How many mails deep it was attached to the one that was given.
    pub forwarded: usize,
    /// The rules that were tried, in their order.
    pub steps: Vec<Step>,
    /// What came of it.
    pub reading: Reading,
}

impl Reader {
    /// The templates that it reads with.
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// Reads a mail as [`Reader::read`] does, and tells how.
    pub fn explain(&self, mail: &[u8], context: &Context<'_>) -> Explanation {
        let reading = self.read(mail, context);
        let told = catch_unwind(AssertUnwindSafe(|| self.tell(mail, context, 0))).ok().flatten();
        let (mail, forwarded, steps) = match told {
            Some((mail, forwarded, steps)) => (Some(mail), forwarded, steps),
            None => (None, 0, Vec::new()),
        };
        Explanation { mail, forwarded, steps, reading }
    }

    fn tell(&self, mail: &[u8], context: &Context<'_>, forwards: usize) -> Option<(Readable, usize, Vec<Step>)> {
        let message = Message::parse(mail).ok()?;
        let ours = Ours { shop_domains: context.shop_domains, own_domains: context.own_domains };
        let body = Body::of(&message, &self.templates.named);
        let sight = self.templates.sight(&message, &body, &ours);
        let refused = matches!(self.templates.refuse(&sight, Counts::Always), Class::Ignore { .. });
        if !refused
            && forwards < FORWARDS
            && let Forwarded::Copy(copy) = forward::inside(&message, &ours)
        {
            return self.tell(&copy, context, forwards + 1);
        }
        let page = body.language.as_deref().and_then(locale).or_else(|| context.locale.and_then(locale));
        Some((Readable::of(&message, &body), forwards, self.templates.trace(&sight, page.as_deref())))
    }
}
