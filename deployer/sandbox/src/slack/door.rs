//! The ways to the workspace: an HTTP client in this process, and a port.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::Slack;
use crate::clock::Pace;

/// How long a call takes.
const LATENCY: Duration = Duration::from_millis(80);

/// A call.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) bearer: Option<String>,
    /// The body as JSON; `null` when it is none.
    pub(super) body: Value,
}

impl Asked {
    fn new(method: &str, path: &str, authorization: Option<&str>, body: &[u8]) -> Self {
        let bearer = authorization.and_then(|text| text.strip_prefix("Bearer ")).map(str::to_owned);
        let body = serde_json::from_slice(body).unwrap_or_default();
        Self { method: method.to_owned(), path: path.to_owned(), bearer, body }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.body.get(name).and_then(Value::as_str).map(str::to_owned)
    }
}

impl Asked {
    /// <https://docs.slack.dev/messaging/formatting-message-text/#automatic-parsing>
    pub(super) fn parsed(&self) -> bool {
        let linked = self.body.get("link_names").and_then(Value::as_bool).unwrap_or(true);
        linked || self.text("parse").as_deref() != Some("none")
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: String,
    pub(super) retry_after: Option<Duration>,
}

impl Answered {
    pub(super) fn text(status: u16, body: &str) -> Self {
        Self { status, kind: "text/html", body: body.to_owned(), retry_after: None }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, kind: "application/json; charset=utf-8", body: body.to_string(), retry_after: None }
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        let wait = self.retry_after.map(|wait| ("retry-after", wait.as_secs().to_string()));
        [("content-type", self.kind.to_owned())].into_iter().chain(wait).collect()
    }
}

/// An HTTP client whose calls come to a [`Slack`], wherever they are meant to go.
#[derive(Clone, Debug)]
pub struct SlackHttpClient {
    slack: Slack,
}

impl SlackHttpClient {
    pub(super) fn new(slack: Slack) -> Self {
        Self { slack }
    }
}

impl HttpClient for SlackHttpClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for SlackHttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let slack = self.slack.clone();
        HttpConnectorFuture::new(async move {
            let uri: http::Uri =
                request.uri().parse().map_err(|error: http::uri::InvalidUri| ConnectorError::user(error.into()))?;
            let authorization = request.headers().get("authorization");
            let body = request.body().bytes().unwrap_or_default();
            let asked = Asked::new(request.method(), uri.path(), authorization, body);
            tokio::time::sleep(LATENCY).await;
            let answered = slack.answer(&asked);
            let answered = answered.ok_or_else(|| ConnectorError::io("connection refused".into()))?;
            let status =
                StatusCode::try_from(answered.status).map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(answered.body.clone()));
            for (name, value) in answered.headers() {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        })
    }
}

impl Slack {
    /// Answers calls on the listener until the future is dropped, at the pace of the account's host. While the workspace
    /// is down it answers 503.
    ///
    /// # Errors
    /// The listener cannot accept connections any more.
    pub async fn serve(self, listener: TcpListener, pace: Pace) -> std::io::Result<()> {
        let waited = Waited::default();
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(connection(self.clone(), stream, pace, waited.clone()));
        }
    }
}

/// How long callers who live in real time have waited, while the account's clock stood still for them.
#[derive(Clone, Debug, Default)]
struct Waited(Arc<Mutex<Option<Since>>>);

/// The last answer: when it was given in real time and in the account's, and the wait that it asked for.
#[derive(Clone, Copy, Debug)]
struct Since {
    real: std::time::Instant,
    account: Timestamp,
    asked: Duration,
}

impl Waited {
    /// By how much the account's clock has to follow a caller who has waited as long as it was to. No further: how busy
    /// this machine is does not count.
    fn behind(&self, now: Timestamp) -> Duration {
        let Some(since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) else { return Duration::ZERO };
        let passed = Duration::try_from(now.duration_since(since.account)).unwrap_or_default();
        if since.real.elapsed() >= since.asked { since.asked.saturating_sub(passed) } else { Duration::ZERO }
    }

    #[expect(clippy::disallowed_methods, reason = "who calls over a port may live in real time")]
    fn answered(&self, now: Timestamp, asked: Duration) {
        let since = Since { real: std::time::Instant::now(), account: now, asked };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(since);
    }
}

async fn connection(slack: Slack, stream: TcpStream, pace: Pace, waited: Waited) {
    let service = service_fn(move |request| {
        let (slack, waited) = (slack.clone(), waited.clone());
        async move { served(&slack, request, pace, &waited).await }
    });
    // A connection that breaks is its client's affair.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn served(
    slack: &Slack,
    request: http::Request<Incoming>,
    pace: Pace,
    waited: &Waited,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let asked = Asked::new(head.method.as_str(), head.uri.path(), authorization, &body);
    if pace == Pace::Stepped {
        pace.pass(waited.behind(slack.clock.now())).await;
    }
    pace.pass(LATENCY).await;
    let answered = slack.answer(&asked).unwrap_or_else(|| Answered::text(503, "service unavailable"));
    waited.answered(slack.clock.now(), answered.retry_after.unwrap_or(Duration::from_secs(1)));
    let mut response = http::Response::new(Full::new(Bytes::from(answered.body.clone())));
    *response.status_mut() = http::StatusCode::from_u16(answered.status).unwrap_or_default();
    for (name, value) in answered.headers() {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
