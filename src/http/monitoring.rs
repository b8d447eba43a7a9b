//! The pages for those who run the service, meant for a loopback address: `/metrics` for Prometheus, `/healthz` (the process lives)
//! and `/readyz` (it can do its work). `docs/metrics.md` lists the figures.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::ops::{House, metrics, vitals};

/// The media type of Prometheus' text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The router over a house.
pub fn monitoring(house: Arc<House>) -> Router {
    Router::new()
        .route("/metrics", get(figures))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(house)
}

async fn figures(State(house): State<Arc<House>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS)], metrics::text(&house).await)
}

async fn ready(State(house): State<Arc<House>>) -> impl IntoResponse {
    match vitals::ready(&house).await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
