//! The account on a port, for the AWS CLI, boto3, Terraform and anything else that speaks to AWS.

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::clock::Pace;
use crate::dispatch::Delivery;
use crate::sandbox::Sandbox;
use crate::wire::Request;

/// Answers requests on the listener until the future is dropped.
///
/// # Errors
/// The listener cannot accept connections any more.
pub async fn serve(sandbox: Sandbox, listener: TcpListener) -> std::io::Result<()> {
    serve_at(sandbox, listener, Pace::Slept, || {}).await
}

/// The same at a pace, with something to be done before each call.
pub(crate) async fn serve_at(
    sandbox: Sandbox,
    listener: TcpListener,
    pace: Pace,
    before: impl Fn() + Clone + Send + Sync + 'static,
) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(sandbox.clone(), stream, pace, before.clone()));
    }
}

async fn connection(
    sandbox: Sandbox,
    stream: TcpStream,
    pace: Pace,
    before: impl Fn() + Clone + Send + Sync + 'static,
) {
    let service = service_fn(move |request| {
        let (sandbox, before) = (sandbox.clone(), before.clone());
        async move {
            before();
            answer(&sandbox, request, pace).await
        }
    });
    // A connection that breaks is its client's affair.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A lost reply, on a port, is a connection that closes without one.
#[derive(Debug, thiserror::Error)]
#[error("the reply was lost")]
struct Lost;

async fn answer(
    sandbox: &Sandbox,
    request: http::Request<Incoming>,
    pace: Pace,
) -> Result<http::Response<Full<Bytes>>, Lost> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Lost)?.to_bytes().to_vec();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
    };
    let Delivery::Answer(response) = sandbox.answer(&request, pace).await else { return Err(Lost) };
    let mut builder = http::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(response.body))).map_err(|_| Lost)
}
