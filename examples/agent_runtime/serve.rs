// SPDX-License-Identifier: Apache-2.0
//! `/metrics` for Prometheus and `/health` for supervisors, on loopback.
//!
//! Whoever reaches the address may ask, and no more: a connection lives ten seconds, sixteen live at a
//! time, and a request that names a host by a name is refused, as that is how a page in a browser
//! would come to read what is served here (DNS rebinding).

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{StatusCode, header::CONTENT_TYPE, header::HOST};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use femtoclaw_ledger::metrics::BUCKETS;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// Others wait until one of these has ended.
const CONNECTIONS_MAX: usize = 16;
/// From its beginning to its end.
const CONNECTION_LIVES: Duration = Duration::from_secs(10);

/// Healthy or not, and the details as JSON.
pub(crate) type Health = Arc<dyn Fn() -> (bool, serde_json::Value) + Send + Sync>;

/// Installs the recorder. Must come before the ledger is opened, which takes its handles then.
pub(crate) fn install_recorder() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, bounds) in BUCKETS.iter() {
        // Full names: a suffix matcher would silently make summaries of histograms.
        builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)?;
    }
    builder.install_recorder()
}

/// Takes the address; an address in use is known before anything is done.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Takes so many connections at a time, each for so long.
struct Bounded {
    listener: TcpListener,
    free: Arc<Semaphore>,
    lives: Duration,
}

impl axum::serve::Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // Never closed.
            let Ok(permit) = Arc::clone(&self.free).acquire_owned().await else {
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    let ends = Box::pin(tokio::time::sleep(self.lives));
                    let connection = Connection {
                        stream,
                        ends,
                        _permit: permit,
                    };
                    return (connection, from);
                }
                // No descriptor, for instance: one may be free in a moment.
                Err(error) => {
                    tracing::warn!(%error, "a connection was not taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Ends in time, whatever its other side does or does not.
struct Connection {
    stream: TcpStream,
    ends: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    fn goes_on(&mut self, context: &mut Context<'_>) -> std::io::Result<()> {
        match self.ends.as_mut().poll(context) {
            Poll::Ready(()) => Err(std::io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.goes_on(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.goes_on(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.goes_on(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// An address names nobody else's host, and `localhost` only this one.
async fn for_this_host(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_here = |name: &str| name == "localhost" || name.parse::<IpAddr>().is_ok();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    if !is_here(name) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    next.run(request).await
}

/// Serves until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, page: PrometheusHandle, health: Health) {
    let bounded = Bounded {
        listener,
        free: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        lives: CONNECTION_LIVES,
    };
    serve_on(bounded, page, health).await;
}

async fn serve_on(listener: Bounded, page: PrometheusHandle, health: Health) {
    let upkeep = page.clone();
    let metrics =
        move || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], page.render()) };
    let health = move || async move {
        let (healthy, details) = health();
        let status = if healthy {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, Json(details))
    };
    let pages = Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .layer(middleware::from_fn(for_this_host));
    let drain = async {
        // The recorder keeps every observation of a histogram until it is drained.
        let mut interval = tokio::time::interval(Duration::from_secs(5));
        loop {
            interval.tick().await;
            upkeep.run_upkeep();
        }
    };
    tokio::select! {
        served = axum::serve(listener, pages) => if let Err(error) = served {
            tracing::error!(%error, "metrics are no longer served");
        },
        () = drain => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn fetch(address: SocketAddr, path: &str) -> String {
        fetch_from(address, &address.to_string(), path).await
    }

    async fn fetch_from(address: SocketAddr, host: &str, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    }

    #[tokio::test]
    async fn both_pages_are_served_and_health_has_a_status() {
        let handle = PrometheusBuilder::new().build_recorder().handle();
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let health: Health = Arc::new(|| (false, serde_json::json!({"sealed": true})));
        let server = tokio::spawn(serve(listener, handle, health));
        assert!(fetch(address, "/metrics").await.starts_with("HTTP/1.1 200"));
        let page = fetch(address, "/health").await;
        assert!(
            page.starts_with("HTTP/1.1 503") && page.ends_with(r#"{"sealed":true}"#),
            "{page}"
        );
        assert!(fetch(address, "/").await.starts_with("HTTP/1.1 404"));
        // A page in a browser reaches loopback under a name of its own.
        for host in ["rebound.example", "localhost.example:80", "", "[x]"] {
            let page = fetch_from(address, host, "/metrics").await;
            assert!(page.starts_with("HTTP/1.1 421"), "{host}: {page}");
        }
        for host in ["localhost", "[::1]:9", "127.0.0.1"] {
            let page = fetch_from(address, host, "/metrics").await;
            assert!(page.starts_with("HTTP/1.1 200"), "{host}: {page}");
        }
        server.abort();
    }

    /// Callers that say nothing hold every place, and are let go of in time.
    #[tokio::test]
    async fn silent_connections_end_and_others_are_served_then() {
        let handle = PrometheusBuilder::new().build_recorder().handle();
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let bounded = Bounded {
            listener,
            free: Arc::new(Semaphore::new(2)),
            lives: Duration::from_millis(200),
        };
        let free = Arc::clone(&bounded.free);
        let health: Health = Arc::new(|| (true, serde_json::json!({})));
        let server = tokio::spawn(serve_on(bounded, handle, health));
        let mut silent = Vec::new();
        for _ in 0..4 {
            silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
        }
        while free.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(fetch(address, "/metrics").await.starts_with("HTTP/1.1 200"));
        for mut stream in silent {
            let mut rest = Vec::new();
            // Closed, or reset: it comes to an end.
            let ends = stream.read_to_end(&mut rest);
            let ended = tokio::time::timeout(Duration::from_secs(60), ends).await;
            assert!(ended.is_ok(), "a silent connection is left open");
        }
        server.abort();
    }
}
