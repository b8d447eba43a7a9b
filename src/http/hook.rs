//! `POST /hooks/reviewed`: a service that collects reviews elsewhere tells that one exists, so that nobody is reminded of it.
//! `docs/reviews.md` says how it is signed.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::meter::{Outcome, Turned};
use super::pages::{Asked, body_of};
use super::signature;
use crate::domain::{EmailAddress, OrderReference, ShopId};
use crate::ops::elsewhere::reviewed_elsewhere;
use crate::store::Actor;

/// In whose name it stands in the records.
const ACTOR: &str = "hook";

/// What is told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reviewed {
    shop: String,
    reference: String,
    email: Option<String>,
}

pub(super) async fn reviewed(asked: Asked, body: Body) -> Response {
    let bytes = match body_of(&asked, body).await {
        Ok(bytes) => bytes,
        Err(response) => return response,
    };
    let Some(shop) = signer(&asked, &bytes) else {
        asked.reception.turned_away(&asked, Turned::Unknown);
        let why =
            "the signature does not hold, its time is too far from ours, or there is no such shop with a hook_secret";
        return answer(StatusCode::UNAUTHORIZED, &json!({ "error": why }));
    };
    let (reference, email) = match told(&bytes) {
        Ok(told) => told,
        Err(why) => {
            asked.ended(Outcome::Strange);
            return answer(StatusCode::BAD_REQUEST, &json!({ "error": why }));
        }
    };
    let by = Actor { name: ACTOR.to_owned(), reason: None };
    match reviewed_elsewhere(asked.house(), &shop, &reference, email.as_ref(), &by).await {
        Ok(moved) => {
            asked.ended(Outcome::Told);
            tracing::info!(%shop, invitations = moved.len(), "a review was told of");
            answer(StatusCode::OK, &json!({ "invitations": moved.len() }))
        }
        Err(error) => {
            tracing::warn!(%error, "a review that was told of could not be noted");
            asked.ended(Outcome::Failed);
            asked.soon(answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": "try again" })))
        }
    }
}

/// The shop that the body names, when its secret has signed the body. A shop that there is not costs as much as a wrong signature.
fn signer(asked: &Asked, body: &[u8]) -> Option<ShopId> {
    let named = serde_json::from_slice::<Value>(body).ok();
    let shop = named.as_ref().and_then(|value| ShopId::parse(value.get("shop")?.as_str()?).ok());
    let secret = shop.as_ref().and_then(|shop| asked.setup.hook_secrets.get(shop));
    let nobody = asked.setup.keys.forms;
    let holds = signature::holds(secret.map_or(&nobody[..], Vec::as_slice), &asked.headers, body, asked.now());
    shop.filter(|_| holds && secret.is_some())
}

/// What a signed body says.
fn told(body: &[u8]) -> Result<(OrderReference, Option<EmailAddress>), String> {
    // The words of serde may repeat what stands in the body; its place is enough.
    let reviewed: Reviewed = serde_json::from_slice(body).map_err(|error| {
        let place = (error.line(), error.column());
        format!("line {}, column {}: write the keys shop and reference, and email or not, all texts", place.0, place.1)
    })?;
    ShopId::parse(&reviewed.shop).map_err(|_| "shop: is no shop's id".to_owned())?;
    let reference = OrderReference::parse(&reviewed.reference);
    let reference = reference.ok_or("reference: is empty, or longer than 64 characters")?;
    let email = reviewed.email.map(|email| EmailAddress::parse(&email)).transpose();
    Ok((reference, email.map_err(|_| "email: is no mail address")?))
}

fn answer(status: StatusCode, value: &Value) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], format!("{value}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn what_is_told_is_read_strictly() {
        assert!(told(br#"{"shop":"nord","reference":"A-1"}"#).is_ok());
        assert!(told(br#"{"shop":"nord","reference":"A-1","email":"anna@customer.example"}"#).is_ok());
        for (body, why) in [
            (r#"{"shop":"nord","reference":"A-1","extra":1}"#, "line 1"),
            (r#"{"shop":"nord"}"#, "line 1"),
            (r#"{"shop":"nord","reference":7}"#, "line 1"),
            (r#"{"shop":"nord","reference":""}"#, "reference: "),
            (r#"{"shop":"nord","reference":"A-1","email":"anna secret"}"#, "email: "),
            ("[]", "line 1"),
            ("", "line 1"),
        ] {
            let told = told(body.as_bytes()).unwrap_err();
            assert!(told.starts_with(why) && !told.contains("secret"), "{body}: {told}");
        }
    }
}
