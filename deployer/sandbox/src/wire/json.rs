//! The JSON protocols 1.0 and 1.1: the operation in a header, JSON in and out.
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use serde_json::{Map, Value};

use super::{Protocol, Request, Response};
use crate::error::{ApiError, refuse};

pub(crate) fn decode(request: &Request) -> Result<(String, Value), ApiError> {
    let target = request.header("x-amz-target").unwrap_or_default();
    let operation = target
        .rsplit('.')
        .next()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| refuse("UnknownOperationException", "X-Amz-Target names no operation"))?;
    let input = if request.body.is_empty() {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(&request.body).map_err(|error| refuse("SerializationException", error.to_string()))?
    };
    Ok((operation.to_owned(), input))
}

pub(crate) fn encode(protocol: Protocol, output: &Value, request_id: &str) -> Response {
    // An operation without output members answers an empty object (1.0) or nothing at all (1.1).
    let empty = output.is_null() || output.as_object().is_some_and(Map::is_empty);
    let body = if empty && protocol == Protocol::Json11 {
        Vec::new()
    } else if empty {
        b"{}".to_vec()
    } else {
        output.to_string().into_bytes()
    };
    response(protocol, 200, body, request_id)
}

pub(crate) fn encode_error(protocol: Protocol, error: &ApiError, request_id: &str) -> Response {
    let mut body = (*error.members).clone();
    let shape = body.remove("_shape");
    let old_name = shape.is_some();
    body.insert("__type".to_owned(), shape.unwrap_or_else(|| error.code.clone().into()));
    body.insert("message".to_owned(), error.message.clone().into());
    let mut response = response(protocol, error.status, Value::Object(body).to_string().into_bytes(), request_id);
    if old_name {
        response.headers.push(super::cbor::query_error(error));
    }
    response
}

fn response(protocol: Protocol, status: u16, body: Vec<u8>, request_id: &str) -> Response {
    let kind = if protocol == Protocol::Json10 { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" };
    let headers =
        vec![("content-type".to_owned(), kind.to_owned()), ("x-amzn-requestid".to_owned(), request_id.to_owned())];
    Response { status, headers, body }
}
