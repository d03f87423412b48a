//! EC2's dialect of the query protocol: results without a wrapper, lists of `<item>`.
//! <https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html>

use serde_json::Value;

use super::{Response, query, xml};
use crate::error::ApiError;

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

pub(crate) fn encode(operation: &str, output: &Value, request_id: &str) -> Response {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{operation}Response xmlns=\"{NAMESPACE}\"><requestId>{request_id}</requestId>"
    );
    xml::members(&mut out, output, "item");
    out.push_str(&format!("</{operation}Response>"));
    query::response(200, out, request_id)
}

pub(crate) fn encode_error(error: &ApiError, request_id: &str) -> Response {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>");
    xml::text(&mut out, "Code", &error.code);
    xml::text(&mut out, "Message", &error.message);
    out.push_str(&format!("</Error></Errors><RequestID>{request_id}</RequestID></Response>"));
    query::response(error.status, out, request_id)
}
