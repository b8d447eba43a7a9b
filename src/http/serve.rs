//! The accept loop under all routers. It is our own because axum's waits for ever for the head of a request; this one bounds that, the
//! size of head and body, the time for an answer, and how many connections there are.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a client can make a listener do.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Connections at one time; one more is closed at once.
    pub connections: usize,
    /// How long the head of a request may take, and how long a connection may be idle before it.
    pub head: Duration,
    /// How large the head may be, bytes.
    pub head_size: usize,
    /// How large the body may be, bytes.
    pub body_size: usize,
    /// How long an answer may take; 503 then.
    pub answer: Duration,
    /// How long requests that have begun may take when the service stops.
    pub drain: Duration,
}

impl Bounds {
    /// For pages that only programs of the admin ask for, without a body.
    pub fn monitoring() -> Self {
        Self {
            connections: 32,
            head: Duration::from_secs(10),
            head_size: 16 * 1024,
            body_size: 0,
            answer: Duration::from_secs(20),
            drain: Duration::from_secs(5),
        }
    }
}

/// How long accepting rests when the machine has no more file descriptors.
const REST: Duration = Duration::from_millis(50);

/// Serves on a listening socket until `stop`; then nobody new is let in, idle connections are closed, and requests that have begun are
/// answered.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let answer = bounds.answer;
    let router = router
        .layer(DefaultBodyLimit::max(bounds.body_size))
        .layer(from_fn(move |request: Request, next: Next| in_time(answer, next.run(request))));
    let (places, connections) = (Arc::new(Semaphore::new(bounds.connections)), TaskTracker::new());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            sleep(REST).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::debug!("too many HTTP connections, one more was closed");
            continue;
        };
        let attended = attend(stream, router.clone(), bounds.clone(), stop.clone());
        connections.spawn(async move {
            attended.await;
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    let _ = timeout(bounds.drain, connections.wait()).await;
}

async fn in_time(limit: Duration, answer: impl Future<Output = Response>) -> Result<Response, Infallible> {
    let late = || (StatusCode::SERVICE_UNAVAILABLE, "the answer takes too long\n").into_response();
    Ok(timeout(limit, answer).await.unwrap_or_else(|_| late()))
}

async fn attend(stream: TcpStream, router: Router, bounds: Bounds, stop: CancellationToken) {
    // Without it an answer waits for the client's delayed ACK.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(bounds.head_size.max(8 * 1024));
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        // How a client leaves is its own business.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(bounds.drain, connection).await;
}
