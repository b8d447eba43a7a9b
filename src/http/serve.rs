//! The accept loop under all routers. It is our own because axum's waits for ever for the head of a request; this one bounds that, the
//! size of head and body, the time for an answer, how long a connection lasts, and how many there are, in all and of one client.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use hyper::Request as Raw;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::{Client, is_trusted};
use crate::crowd::{Places, Slot, Slots, places_by_descriptors};

/// What a client can make a listener do.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Connections at one time; one more is closed at once.
    pub connections: usize,
    /// Connections at one time of one client that is neither a trusted proxy nor on this machine.
    pub per_client: usize,
    /// How long the head of a request may take, a TLS handshake, and how long a connection may be idle before it.
    pub head: Duration,
    /// How large the head may be, bytes.
    pub head_size: usize,
    /// How large the body may be, bytes.
    pub body_size: usize,
    /// How long an answer may take; 503 then.
    pub answer: Duration,
    /// How long a connection may last: whoever takes no answers would keep it for ever otherwise.
    pub life: Duration,
    /// How long requests that have begun may take when the service stops.
    pub drain: Duration,
}

impl Bounds {
    /// For pages that only programs of the admin ask for, without a body.
    pub fn monitoring() -> Self {
        Self {
            connections: 32,
            per_client: 32,
            head: Duration::from_secs(10),
            head_size: 16 * 1024,
            body_size: 0,
            answer: Duration::from_secs(20),
            life: Duration::from_secs(600),
            drain: Duration::from_secs(5),
        }
    }

    /// For pages that everybody may ask for.
    pub fn pages(connections: usize) -> Self {
        Self { connections, per_client: 32.min(connections), body_size: super::form::LARGEST, ..Self::monitoring() }
    }
}

/// What stands between a listener and those who ask.
#[derive(Clone, Default)]
pub struct Front {
    /// Networks whose word on who asks is believed.
    pub proxies: Arc<[IpNet]>,
    /// What a handshake is made with, asked for each connection, where there is TLS. Without an answer no connection is taken.
    pub tls: Option<Handshake>,
}

/// The present settings of TLS handshakes.
pub type Handshake = Arc<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>;

/// How long accepting rests when the machine has no more file descriptors.
const REST: Duration = Duration::from_millis(50);

/// Serves on a listening socket until `stop`; then nobody new is let in, idle connections are closed, and requests that have begun are
/// answered.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, front: Front, stop: CancellationToken) {
    let answer = bounds.answer;
    let router = router
        .layer(DefaultBodyLimit::max(bounds.body_size))
        .layer(from_fn(move |request: Request, next: Next| in_time(answer, next.run(request))));
    let (slots, connections) = (Arc::new(Slots::new(places_by_descriptors())), TaskTracker::new());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            sleep(REST).await;
            continue;
        };
        let peer = address.ip().to_canonical();
        let Some(place) = place(&slots, peer, &bounds, &front) else {
            tracing::debug!("too many HTTP connections, one more was closed");
            continue;
        };
        let attended = meet(stream, peer, router.clone(), bounds.clone(), front.clone(), stop.clone());
        connections.spawn(async move {
            attended.await;
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    let _ = timeout(bounds.drain, connections.wait()).await;
}

/// A proxy and the programs of this machine may have every place, others their share.
fn place(slots: &Arc<Slots>, peer: IpAddr, bounds: &Bounds, front: &Front) -> Option<Slot> {
    let is_one_of_ours = peer.is_loopback() || is_trusted(peer, &front.proxies);
    let each = if is_one_of_ours { bounds.connections } else { bounds.per_client };
    slots.take(peer, Places { all: bounds.connections, each })
}

async fn in_time(limit: Duration, answer: impl Future<Output = Response>) -> Result<Response, Infallible> {
    let late = || (StatusCode::SERVICE_UNAVAILABLE, "the answer takes too long\n").into_response();
    Ok(timeout(limit, answer).await.unwrap_or_else(|_| late()))
}

/// The handshake, where there is one, and then the requests.
async fn meet(stream: TcpStream, peer: IpAddr, router: Router, bounds: Bounds, front: Front, stop: CancellationToken) {
    // Without it an answer waits for the client's delayed ACK.
    let _ = stream.set_nodelay(true);
    let Some(handshake) = &front.tls else {
        return attend(stream, peer, router, bounds, front.proxies, stop).await;
    };
    let Some(settings) = handshake() else { return };
    let shaken = tokio::select! {
        () = stop.cancelled() => return,
        shaken = timeout(bounds.head, TlsAcceptor::from(settings).accept(stream)) => shaken,
    };
    if let Ok(Ok(stream)) = shaken {
        attend(stream, peer, router, bounds, front.proxies, stop).await;
    }
}

async fn attend(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    router: Router,
    bounds: Bounds,
    proxies: Arc<[IpNet]>,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(bounds.head_size.max(8 * 1024));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Raw<Incoming>| {
        let client = Client::of(peer, request.headers(), &proxies);
        request.extensions_mut().insert(client);
        router.call(request)
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // How a client leaves is its own business.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
        () = sleep(bounds.life) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(bounds.drain, connection).await;
}
