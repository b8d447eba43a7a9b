//! A form that was sent: whether it may be read, came from us, and is whole. What cannot be taken is answered here.

use std::time::Duration;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;
use tokio::time::timeout;
use url::Url;

use super::Reception;
use super::asked::Asked;
use super::guard::is_own_origin;
use crate::http::form::{Form, LARGEST, NoForm};
use crate::http::form_token::{self, Origin};
use crate::http::meter::{Outcome, Turned};
use crate::page::{Notice, Target, fields};

/// How long a form may take to come in.
const PATIENCE: Duration = Duration::from_secs(15);

/// The field and the value of RFC 8058, 3.2.
const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");

/// A request with its form.
pub(super) struct Sent {
    pub(super) asked: Asked,
    pub(super) form: Form,
}

impl FromRequest<Arc<Reception>> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, reception: &Arc<Reception>) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let asked = Asked::new(&parts, reception);
        let bytes = body_of(&asked, body).await?;
        let form = match Form::read(&asked.headers, &bytes, is_known) {
            Ok(form) => form,
            Err(no_form) => {
                asked.ended(Outcome::Strange);
                let media = no_form == NoForm::MediaType;
                let status = if media { StatusCode::UNSUPPORTED_MEDIA_TYPE } else { StatusCode::BAD_REQUEST };
                return Err(asked.notice(status, Notice::Invalid));
            }
        };
        let sent = Self { asked, form };
        // Mailbox providers press this button for many people at once, from elsewhere, without having seen a page (RFC 8058).
        if sent.is_one_click() {
            return Ok(sent);
        }
        if !reception.limits.may_post(sent.asked.client) {
            reception.meter.turned(Turned::TooMany);
            return Err(sent.asked.notice(StatusCode::TOO_MANY_REQUESTS, Notice::TooMany));
        }
        let is_own = Url::parse(sent.asked.site.base()).is_ok_and(|own| is_own_origin(&sent.asked.headers, &own));
        if !is_own {
            sent.asked.ended(Outcome::Foreign);
            return Err(sent.asked.notice(StatusCode::FORBIDDEN, Notice::Invalid));
        }
        Ok(sent)
    }
}

/// A body within its bounds.
pub(in crate::http) async fn body_of(asked: &Asked, body: Body) -> Result<Vec<u8>, Response> {
    let too_large = || {
        asked.ended(Outcome::TooLarge);
        asked.notice(StatusCode::PAYLOAD_TOO_LARGE, Notice::TooLarge)
    };
    // Before the first byte of it: who asks with `Expect: 100-continue` is not told to go on.
    if body.size_hint().lower() > LARGEST as u64 {
        return Err(too_large());
    }
    match timeout(PATIENCE, to_bytes(body, LARGEST)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            asked.ended(Outcome::Strange);
            Err(asked.notice(StatusCode::REQUEST_TIMEOUT, Notice::Invalid))
        }
    }
}

impl Sent {
    /// Whether it is a mailbox provider's one click, which needs no page of ours before it.
    pub(super) fn is_one_click(&self) -> bool {
        self.asked.path.starts_with(crate::link::site::path::UNSUBSCRIBE) && self.form.get(ONE_CLICK.0) == ONE_CLICK.1
    }

    /// Which button was pressed.
    pub(super) fn pressed(&self) -> &str {
        self.form.get(fields::DO)
    }

    /// Whether something was filled in that people do not see.
    pub(super) fn is_trapped(&self) -> bool {
        !self.form.get(fields::TRAP).is_empty()
    }

    /// Whether the form was made for this page within a day.
    pub(super) fn is_fresh(&self) -> bool {
        self.origin() == Origin::Fresh
    }

    /// Whether the form was made for this page, however long ago.
    pub(super) fn is_ours(&self) -> bool {
        self.origin() != Origin::Foreign
    }

    fn origin(&self) -> Origin {
        let key = &self.asked.setup.keys.forms;
        form_token::origin(key, &self.asked.path, self.form.get(fields::TOKEN), self.asked.now())
    }

    /// Answers a form whose button this page does not have.
    pub(super) fn strange(&self) -> Response {
        self.asked.ended(Outcome::Strange);
        self.asked.notice(StatusCode::BAD_REQUEST, Notice::Invalid)
    }
}

/// A form's token and where it goes.
pub(super) struct Ticket {
    action: String,
    token: String,
}

impl Ticket {
    /// For the form on the page that was asked for.
    pub(super) fn of(asked: &Asked) -> Self {
        let token = form_token::sign(&asked.setup.keys.forms, &asked.path, asked.now());
        Self { action: asked.action(), token }
    }

    /// As pages want it.
    pub(super) fn target(&self) -> Target<'_> {
        Target { action: &self.action, token: &self.token }
    }
}

/// The fields that some form of ours has.
fn is_known(name: &str) -> bool {
    let plain = [
        fields::DO,
        fields::TOKEN,
        fields::TRAP,
        fields::STARS,
        fields::TITLE,
        fields::TEXT,
        fields::NAME,
        fields::REFERENCE,
        ONE_CLICK.0,
    ];
    plain.contains(&name) || of_product(name).is_some()
}

/// The product's place and the field, of a product's field.
pub(super) fn of_product(name: &str) -> Option<(usize, &str)> {
    let (digits, field) = name.strip_prefix('p')?.split_once('_')?;
    let fine = (1..=3).contains(&digits.len()) && [fields::STARS, fields::TITLE, fields::TEXT].contains(&field);
    let index = digits.parse().ok().filter(|_| fine && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (fields::of_product(index, field) == name).then_some((index, field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_products_are_known_and_no_others_like_them() {
        for (name, expected) in [
            ("p0_stars", Some((0, "stars"))),
            ("p12_text", Some((12, "text"))),
            ("p00_stars", None),
            ("p-1_stars", None),
            ("p_stars", None),
            ("p0_name", None),
            ("p9999_text", None),
            ("q0_text", None),
        ] {
            assert_eq!(of_product(name), expected, "{name}");
        }
        assert!(is_known("List-Unsubscribe") && is_known("website") && !is_known("list-unsubscribe"));
    }
}
