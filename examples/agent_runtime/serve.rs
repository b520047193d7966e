//! `/metrics` for Prometheus and `/health` for supervisors, on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::{Json, Router, routing::get};
use femtoclaw_ledger::metrics::BUCKETS;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

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

/// Serves until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, page: PrometheusHandle, health: Health) {
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
        .route("/health", get(health));
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
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
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
        server.abort();
    }
}
