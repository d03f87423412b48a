//! Lambda's Runtime API, as one environment's runtime sees it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::environment::{Place, Refused};
use super::hosts::Shared;
use super::{Answer, Invocation};
use crate::clock::later;

/// The longest answer: 6 MiB and some room for what is around it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>
const LONGEST: usize = 6_291_556;
const PATH: &str = "/2018-06-01/runtime/";

type Answered = http::Response<Full<Bytes>>;

/// Answers one environment's runtime until the task is aborted.
pub(super) async fn serve(shared: Arc<Shared>, place: Arc<Place>, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(Arc::clone(&shared), Arc::clone(&place), stream));
    }
}

async fn connection(shared: Arc<Shared>, place: Arc<Place>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let (shared, place) = (Arc::clone(&shared), Arc::clone(&place));
        async move { Ok::<_, Infallible>(answer(&shared, &place, request).await) }
    });
    // A connection that breaks is its client's affair.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shared: &Arc<Shared>, place: &Arc<Place>, request: http::Request<Incoming>) -> Answered {
    let (head, body) = request.into_parts();
    let path: Vec<&str> = head.uri.path().strip_prefix(PATH).unwrap_or_default().split('/').collect();
    match (head.method.as_str(), path.as_slice()) {
        ("GET", ["invocation", "next"]) => next(shared, place).await,
        ("POST", ["invocation", id, "response"]) => {
            let answer = match read(body).await {
                Ok(text) => Answer::Done(text),
                Err(refused) => {
                    // <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-response>
                    let message =
                        format!("Response payload size exceeded maximum allowed payload size ({LONGEST} bytes).");
                    let kind = "Function.ResponseSizeTooLarge";
                    let failed = json!({"errorMessage": message, "errorType": kind}).to_string();
                    // Whether it was its turn does not matter to somebody who is refused anyway.
                    let _ = shared.answered(place, id, &Answer::Failed(failed));
                    return refused;
                }
            };
            acknowledged(shared.answered(place, id, &answer))
        }
        ("POST", ["invocation", id, "error"]) => match read(body).await {
            Ok(text) => acknowledged(shared.answered(place, id, &Answer::Failed(text))),
            Err(refused) => refused,
        },
        ("POST", ["init", "error"]) => match read(body).await {
            Ok(_) if !place.is_starting() => acknowledged(Err(Refused::State)),
            Ok(text) => {
                shared.failed_to_start(place, &Answer::Failed(text));
                acknowledged(Ok(()))
            }
            Err(refused) => refused,
        },
        _ => error(404, "the Runtime API has no such path", "ResourceNotFound"),
    }
}

async fn read(body: Incoming) -> Result<String, Answered> {
    match Limited::new(body, LONGEST).collect().await {
        Ok(all) => Ok(String::from_utf8_lossy(&all.to_bytes()).into_owned()),
        Err(_) => Err(error(413, "Exceeded maximum allowed payload size (6291556 bytes).", "RequestEntityTooLarge")),
    }
}

async fn next(shared: &Arc<Shared>, place: &Arc<Place>) -> Answered {
    let invocation = if shared.asks(place) { place.next().await } else { None };
    let Some(invocation) = invocation else { return error(500, "the environment is no more", "Runtime.Gone") };
    let now = shared.sandbox.now();
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let response = http::Response::builder()
        .header("content-type", "application/json")
        // What time it is in the account, which need not be that of the machine.
        .header("date", date)
        .header("Lambda-Runtime-Aws-Request-Id", &invocation.request_id)
        .header("Lambda-Runtime-Deadline-Ms", deadline(now, &invocation))
        .header("Lambda-Runtime-Invoked-Function-Arn", &invocation.function_arn)
        .header("Lambda-Runtime-Trace-Id", &invocation.trace)
        .body(Full::new(Bytes::from(invocation.payload)));
    response.unwrap_or_else(|_| error(500, "the invocation cannot be written", "Runtime.Unwritable"))
}

/// In milliseconds since 1970, by the account's clock, as the answer's date: what lies between the two is what the
/// runtime has, in its own time.
fn deadline(now: Timestamp, invocation: &Invocation) -> String {
    later(now, invocation.timeout).as_millisecond().to_string()
}

fn acknowledged(outcome: Result<(), Refused>) -> Answered {
    match outcome {
        Ok(()) => written(202, &json!({"status": "OK"})),
        Err(Refused::RequestId) => error(400, "Invalid request ID", "InvalidRequestID"),
        Err(Refused::State) => error(403, "State transition is not allowed", "InvalidStateTransition"),
    }
}

fn error(status: u16, message: &str, kind: &str) -> Answered {
    written(status, &json!({"errorMessage": message, "errorType": kind}))
}

fn written(status: u16, body: &Value) -> Answered {
    let mut response = http::Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}
