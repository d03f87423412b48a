//! What went over the wire and what came of it, for those who judge afterwards.

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;

use crate::wire::{Request, Response};

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Ending {
    /// It did what it says.
    Done,
    /// Refused with this code.
    Refused(String),
    /// The connection failed before any effect.
    NeverArrived,
    /// It did what it says, and its caller never heard.
    ReplyLost,
}

/// One call in the account's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// The number of the call, from 1.
    pub n: u64,
    /// Who called: the ARN of the deployer's user, or of a role's session.
    pub principal: String,
    /// The service's signing name.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// Whether it changes anything.
    pub write: bool,
    /// When, by the account's clock.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// The (action, resource) pairs that it was authorised for.
    pub authorised: Vec<(String, String)>,
    /// How it ended.
    pub ending: Ending,
}

fn as_text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// A request and its response, raw.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// The service's signing name.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The request's headers, names in lower case.
    pub request_headers: Vec<(String, String)>,
    /// The request's body.
    pub request_body: Body,
    /// The response's HTTP status.
    pub status: u16,
    /// The response's headers.
    pub response_headers: Vec<(String, String)>,
    /// The response's body.
    pub response_body: Body,
}

/// A body: text where it is text.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// UTF-8.
    Text(String),
    /// Anything else, in base64.
    Base64(String),
}

impl Body {
    fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }
}

impl Exchange {
    pub(crate) fn new(service: &str, operation: &str, request: &Request, response: &Response) -> Self {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        Self {
            service: service.to_owned(),
            operation: operation.to_owned(),
            method: request.method.clone(),
            uri: format!("{}{query}", request.path),
            request_headers: request.headers.clone(),
            request_body: Body::new(&request.body),
            status: response.status,
            response_headers: response.headers.clone(),
            response_body: Body::new(&response.body),
        }
    }
}

/// Writes exchanges as JSON lines.
pub(crate) fn write_lines(path: &Path, exchanges: &[Exchange]) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for exchange in exchanges {
        serde_json::to_writer(&mut file, exchange)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}
