//! An invitation as it is printed.

use serde_json::{Value as Json, json};

use super::local;
use crate::domain::{Invitation, Zone};

/// The headings of [`cells`].
pub(super) const HEADINGS: [&str; 8] = ["ID", "SHOP", "ORDER", "NAME", "ADDRESS", "STATE", "DUE", "LETTERS"];

/// A row of a table of invitations.
pub(super) fn cells(one: &Invitation, zone: &Zone) -> Vec<String> {
    vec![
        one.id.to_string(),
        one.shop.to_string(),
        one.reference.to_string(),
        one.customer.name.as_ref().map(ToString::to_string).unwrap_or_default(),
        one.customer.email.to_string(),
        one.progress.state.to_string(),
        one.progress.due_at.map(|due| local(due, zone)).unwrap_or_default(),
        one.progress.letters_sent.to_string(),
    ]
}

/// An invitation as `queue list --json` prints it; the names are a contract.
pub(super) fn short(one: &Invitation) -> Json {
    json!({
        "id": one.id,
        "shop": one.shop,
        "reference": one.reference.as_str(),
        "name": one.customer.name.as_ref().map(|name| name.as_str()),
        "email": one.customer.email.as_str(),
        "state": one.progress.state.as_str(),
        "due_at": one.progress.due_at.map(|due| due.to_string()),
        "created_at": one.created_at.to_string(),
        "letters": one.progress.letters_sent,
    })
}

/// An invitation as `queue export --format jsonl` writes it; `queue show --json` adds what follows it.
pub(super) fn long(one: &Invitation) -> Json {
    let mut value = short(one);
    value["order"] = json!(one.order);
    value["expires_at"] = one.progress.expires_at.map(|end| end.to_string()).into();
    value["attempts"] = one.progress.attempts.into();
    value["round"] = one.round.into();
    value["follows"] = one.follows.map(|id| id.0).into();
    value["updated_at"] = one.updated_at.to_string().into();
    value
}
