//! The ways to the workspace: an HTTP client in this process, and a port.

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
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::Slack;

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
    /// Answers calls on the listener until the future is dropped. While the workspace is down it answers 503.
    ///
    /// # Errors
    /// The listener cannot accept connections any more.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(connection(self.clone(), stream));
        }
    }
}

async fn connection(slack: Slack, stream: TcpStream) {
    let service = service_fn(move |request| {
        let slack = slack.clone();
        async move { served(&slack, request).await }
    });
    // A connection that breaks is its client's affair.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn served(slack: &Slack, request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let asked = Asked::new(head.method.as_str(), head.uri.path(), authorization, &body);
    let answered = slack.answer(&asked).unwrap_or_else(|| Answered::text(503, "service unavailable"));
    let mut response = http::Response::new(Full::new(Bytes::from(answered.body.clone())));
    *response.status_mut() = http::StatusCode::from_u16(answered.status).unwrap_or_default();
    for (name, value) in answered.headers() {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
