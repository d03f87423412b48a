//! AWS's wire protocols, each once and for all services: a request becomes a JSON value with the names on the
//! wire, a handler's JSON value becomes a response.

pub(crate) mod ec2_query;
pub(crate) mod json;
pub(crate) mod query;
pub(crate) mod xml;

use serde_json::Value;

use crate::error::ApiError;

/// A request as it came in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// A response as it goes out.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The languages that AWS's services speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Form in, XML out; EC2's own dialect.
    Ec2,
    /// Form in, XML out (IAM, STS, RDS, ELB, Auto Scaling).
    Query,
    /// JSON with `X-Amz-Target`, version 1.0.
    Json10,
    /// JSON with `X-Amz-Target`, version 1.1.
    Json11,
}

/// A request once understood.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) protocol: Protocol,
    /// The signing name from the credential scope.
    pub(crate) service: String,
    pub(crate) region: String,
    pub(crate) operation: String,
    pub(crate) input: Value,
}

/// Understands a request, or says what AWS would say to one it cannot accept.
pub(crate) fn decode(request: &Request) -> Result<Call, (Protocol, ApiError)> {
    let guess = protocol_of(request);
    let (region, service) = scope(request).map_err(|error| (guess, error))?;
    let protocol = if service == "ec2" && guess == Protocol::Query { Protocol::Ec2 } else { guess };
    let fail = |error| (protocol, error);
    let (operation, input) = match protocol {
        Protocol::Ec2 => query::decode(request, query::Dialect::Ec2).map_err(fail)?,
        Protocol::Query => query::decode(request, query::Dialect::Plain).map_err(fail)?,
        Protocol::Json10 | Protocol::Json11 => json::decode(request).map_err(fail)?,
    };
    Ok(Call { protocol, service, region, operation, input })
}

/// Writes a handler's answer.
pub(crate) fn encode(call: &Call, namespace: &str, output: &Value, request_id: &str) -> Response {
    match call.protocol {
        Protocol::Ec2 => ec2_query::encode(&call.operation, output, request_id),
        Protocol::Query => query::encode(&call.operation, namespace, output, request_id),
        Protocol::Json10 | Protocol::Json11 => json::encode(call.protocol, output, request_id),
    }
}

/// Writes an error in the protocol's own shape.
pub(crate) fn encode_error(protocol: Protocol, namespace: &str, error: &ApiError, request_id: &str) -> Response {
    match protocol {
        Protocol::Ec2 => ec2_query::encode_error(error, request_id),
        Protocol::Query => query::encode_error(namespace, error, request_id),
        Protocol::Json10 | Protocol::Json11 => json::encode_error(protocol, error, request_id),
    }
}

fn protocol_of(request: &Request) -> Protocol {
    match request.header("x-amz-target") {
        Some(_) if request.header("content-type").is_some_and(|t| t.contains("json-1.0")) => Protocol::Json10,
        Some(_) => Protocol::Json11,
        None => Protocol::Query,
    }
}

/// Region and service from the credential scope of a Signature Version 4 header. The signature itself is not
/// verified: there are no secret keys here.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
fn scope(request: &Request) -> Result<(String, String), ApiError> {
    let unsigned =
        || ApiError::with_status(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
    let header = request.header("authorization").ok_or_else(unsigned)?;
    let credential =
        header.split(['=', ',', ' ']).skip_while(|part| *part != "Credential").nth(1).ok_or_else(unsigned)?;
    let mut parts = credential.rsplit('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("aws4_request"), Some(service), Some(region)) => Ok((region.to_owned(), service.to_owned())),
        _ => Err(ApiError::with_status(
            403,
            "IncompleteSignature",
            "Credential must have the form <key>/<date>/<region>/<service>/aws4_request",
        )),
    }
}

/// A moment as the XML services write it, rounded to milliseconds.
pub(crate) fn iso_millis(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}

/// A moment as the JSON services write it: seconds since 1970, rounded to milliseconds.
#[expect(dead_code, reason = "the JSON services use it")]
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double exactly")]
pub(crate) fn epoch(at: jiff::Timestamp) -> Value {
    Value::from(at.as_millisecond() as f64 / 1000.0)
}
