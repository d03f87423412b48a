//! AWS's wire protocols, each once and for all services: a request becomes a JSON value with the names on the
//! wire, a handler's JSON value becomes a response.

pub(crate) mod cbor;
pub(crate) mod ec2_query;
pub(crate) mod json;
pub(crate) mod query;
pub(crate) mod rest;
pub(crate) mod rest_xml;
pub(crate) mod xml;

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use crate::error::ApiError;
use crate::services;
use rest::{Rest, Route};

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
    /// CBOR in and out (CloudWatch, where the client is new enough).
    Cbor,
    /// Paths, JSON bodies (Lambda, Scheduler, DLM).
    RestJson,
    /// Paths, XML bodies (Route 53).
    RestXml,
    /// S3's dialect of it, whose errors have no wrapper.
    S3,
}

/// A request once understood.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) protocol: Protocol,
    /// The signing name from the credential scope.
    pub(crate) service: String,
    pub(crate) region: String,
    pub(crate) operation: String,
    pub(crate) input: Value,
    /// The HTTP bindings of an operation that is called by its path.
    pub(crate) route: Option<(&'static Rest, &'static Route)>,
}

/// Understands a request, or says what AWS would say to one it cannot accept.
pub(crate) fn decode(request: &Request) -> Result<Call, (Protocol, ApiError)> {
    let (region, service) = scope(request).map_err(|error| (protocol_of(request, ""), error))?;
    let protocol = protocol_of(request, &service);
    let fail = |error| (protocol, error);
    let mut route = None;
    let (operation, input) = match protocol {
        Protocol::Ec2 => query::decode(request, query::Dialect::Ec2).map_err(fail)?,
        Protocol::Query => query::decode(request, query::Dialect::Plain).map_err(fail)?,
        Protocol::Json10 | Protocol::Json11 => json::decode(request).map_err(fail)?,
        Protocol::Cbor => cbor::decode(request).map_err(fail)?,
        Protocol::RestJson | Protocol::RestXml | Protocol::S3 => {
            let not_simulated = || ApiError::not_simulated(format!("{service} ({} {})", request.method, request.path));
            let rest = rest_of(&service).ok_or_else(|| fail(not_simulated()))?;
            let (found, input) = rest.decode(request).map_err(fail)?;
            route = Some((rest, found));
            (found.operation.to_owned(), input)
        }
    };
    Ok(Call { protocol, service, region, operation, input, route })
}

/// Writes a handler's answer.
pub(crate) fn encode(call: &Call, namespace: &str, output: &Value, request_id: &str) -> Response {
    let output = &*dated(call.protocol, output);
    match (call.protocol, call.route) {
        (Protocol::Ec2, _) => ec2_query::encode(&call.operation, output, request_id),
        // Only a query's answer tells a result without members from none.
        (Protocol::Cbor, _) if output.is_null() => cbor::encode(&Value::Object(serde_json::Map::new()), request_id),
        (Protocol::Cbor, _) => cbor::encode(output, request_id),
        (Protocol::Json10 | Protocol::Json11, _) => json::encode(call.protocol, output, request_id),
        (_, Some((rest, route))) => rest.encode(route, output, request_id),
        (_, None) => query::encode(&call.operation, namespace, output, request_id),
    }
}

/// Writes an error in the protocol's own shape.
pub(crate) fn encode_error(protocol: Protocol, namespace: &str, error: &ApiError, request_id: &str) -> Response {
    match protocol {
        Protocol::Ec2 => ec2_query::encode_error(error, request_id),
        Protocol::Query | Protocol::RestXml => query::encode_error(namespace, error, request_id),
        Protocol::Json10 | Protocol::Json11 => json::encode_error(protocol, error, request_id),
        Protocol::Cbor => cbor::encode_error(error, request_id),
        Protocol::RestJson => rest::encode_json_error(error, request_id),
        Protocol::S3 => rest_xml::encode_s3_error(error, request_id),
    }
}

/// What a request speaks shows in its headers; only a form and a path must be told apart by the service.
fn protocol_of(request: &Request, service: &str) -> Protocol {
    let content = request.header("content-type").unwrap_or_default();
    if request.header("smithy-protocol") == Some("rpc-v2-cbor") {
        return Protocol::Cbor;
    }
    match request.header("x-amz-target") {
        Some(_) if content.contains("json-1.0") => return Protocol::Json10,
        Some(_) => return Protocol::Json11,
        None => {}
    }
    let format = rest_of(service).map(|rest| rest.format);
    match (service, format) {
        ("ec2", _) => Protocol::Ec2,
        ("s3", _) => Protocol::S3,
        (_, Some(rest::Format::Json)) => Protocol::RestJson,
        (_, Some(rest::Format::Xml)) => Protocol::RestXml,
        // A service that is not simulated, called by a path: it shall understand the error at least.
        (_, None) if request.path.len() > 1 && !content.contains("form-urlencoded") => Protocol::RestJson,
        (_, None) => Protocol::Query,
    }
}

fn rest_of(service: &str) -> Option<&'static Rest> {
    services::REST.iter().find(|rest| rest.service == service)
}

/// Region and service from the credential scope of a Signature Version 4 header. The signature itself is not
/// verified: there are no secret keys here.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
fn scope(request: &Request) -> Result<(String, String), ApiError> {
    let unsigned =
        || ApiError::with_status(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
    let credential = credential(request).ok_or_else(unsigned)?;
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

/// The credential of a request: access key, day, region, service.
fn credential(request: &Request) -> Option<&str> {
    let header = request.header("authorization")?;
    header.split(['=', ',', ' ']).skip_while(|part| *part != "Credential").nth(1)
}

/// The access key that a request is signed with.
pub(crate) fn access_key(request: &Request) -> Option<&str> {
    credential(request)?.split('/').next()
}

/// A moment as the XML services write it, rounded to milliseconds.
pub(crate) fn iso_millis(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// A moment as the JSON services write it: seconds since 1970, rounded to milliseconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double exactly")]
pub(crate) fn epoch(at: Timestamp) -> Value {
    Value::from(at.as_millisecond() as f64 / 1000.0)
}

/// The only member of a value that stands for a moment, see [`moment`].
pub(crate) const EPOCH: &str = "$epoch";

/// A moment for a service that speaks several protocols: each writes it in its own way.
pub(crate) fn moment(at: Timestamp) -> Value {
    serde_json::json!({EPOCH: epoch(at)})
}

/// The value with its moments written as the protocol wants them; CBOR keeps them, having a type of its own.
fn dated(protocol: Protocol, value: &Value) -> Cow<'_, Value> {
    if protocol == Protocol::Cbor || !has_moment(value) {
        return Cow::Borrowed(value);
    }
    let mut value = value.clone();
    let text = !matches!(protocol, Protocol::Json10 | Protocol::Json11 | Protocol::RestJson);
    write_moments(&mut value, text);
    Cow::Owned(value)
}

fn has_moment(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_moment),
        Value::Object(map) => map.contains_key(EPOCH) || map.values().any(has_moment),
        _ => false,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are far from the end of 64 bits")]
fn write_moments(value: &mut Value, text: bool) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| write_moments(item, text)),
        Value::Object(map) => match map.get(EPOCH).and_then(Value::as_f64) {
            Some(seconds) if text => {
                let at = Timestamp::from_millisecond((seconds * 1000.0).round() as i64).unwrap_or_default();
                *value = iso_millis(at).into();
            }
            Some(seconds) => *value = seconds.into(),
            None => map.values_mut().for_each(|item| write_moments(item, text)),
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(headers: &[(&str, &str)], path: &str) -> Request {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Request { path: path.to_owned(), headers, ..Request::default() }
    }

    #[test]
    fn a_request_without_a_signature_is_refused() {
        let (_, error) = decode(&request(&[], "/")).unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (403, "MissingAuthenticationToken"));
    }

    #[test]
    fn headers_tell_what_a_request_speaks() {
        let cbor = request(&[("smithy-protocol", "rpc-v2-cbor")], "/service/S/operation/O");
        assert_eq!(protocol_of(&cbor, "monitoring"), Protocol::Cbor);
        let json = request(&[("x-amz-target", "A.B"), ("content-type", "application/x-amz-json-1.0")], "/");
        assert_eq!(protocol_of(&json, "dynamodb"), Protocol::Json10);
        assert_eq!(protocol_of(&request(&[], "/"), "ec2"), Protocol::Ec2);
        assert_eq!(protocol_of(&request(&[], "/"), "iam"), Protocol::Query);
    }

    #[test]
    fn every_protocol_writes_a_moment_in_its_own_way() {
        let at = Timestamp::from_millisecond(1_767_603_600_500).unwrap();
        let value = json!({"list": [{"at": moment(at)}]});
        assert_eq!(*dated(Protocol::Query, &value), json!({"list": [{"at": "2026-01-05T09:00:00.500Z"}]}));
        assert_eq!(*dated(Protocol::Json11, &value), json!({"list": [{"at": 1_767_603_600.5}]}));
        assert_eq!(*dated(Protocol::Cbor, &value), value);
    }
}
