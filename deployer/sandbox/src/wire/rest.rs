//! What the two REST protocols share: which operation a method and a path mean, and which members travel in the
//! path, the query, the headers and the body.
//! <https://smithy.io/2.0/spec/http-bindings.html>

use serde_json::{Map, Value};

use super::{Request, Response, rest_xml};
use crate::error::{ApiError, refuse};

/// The HTTP bindings of an operation, as its service model has them. Bindings are (name on the wire, member);
/// a member that ends in `[]` is a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) operation: &'static str,
    pub(crate) method: &'static str,
    /// With labels: `/2015-03-31/functions/{FunctionName}`, `/{Bucket}/{Key+}`, `/{Bucket}?tagging`.
    pub(crate) uri: &'static str,
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// The member that is the whole body, in JSON services as the bytes that came; otherwise the body is all members
    /// that are nowhere else.
    pub(crate) payload: Option<&'static str>,
    pub(crate) status: u16,
    pub(crate) answer_headers: &'static [(&'static str, &'static str)],
    pub(crate) answer_payload: Option<&'static str>,
    /// XML only: the element around an answer without payload member, such as `ListHostedZonesResponse`.
    pub(crate) answer_root: &'static str,
    /// XML only: elements of the request that are items of a list, where need be with the list's name before them:
    /// `RemoveTagKeys/Key`.
    pub(crate) items: &'static [&'static str],
}

impl Route {
    /// A route whose members all travel in the path or the body.
    pub(crate) const fn new(operation: &'static str, method: &'static str, uri: &'static str, status: u16) -> Self {
        Self {
            operation,
            method,
            uri,
            query: &[],
            headers: &[],
            payload: None,
            status,
            answer_headers: &[],
            answer_payload: None,
            answer_root: "",
            items: &[],
        }
    }
}

/// How bodies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Xml,
}

/// A service that is spoken to by paths.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) service: &'static str,
    pub(crate) format: Format,
    pub(crate) routes: &'static [Route],
}

impl Rest {
    /// The operation that a request means, and its input.
    pub(crate) fn decode(&self, request: &Request) -> Result<(&'static Route, Value), ApiError> {
        let query: Vec<(String, String)> = form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
        let matching = self.routes.iter().filter(|route| route.method == request.method);
        let mut found: Option<(&Route, Map<String, Value>)> = None;
        for route in matching {
            // Of two that fit, the one that names more: `?tagging` beats the bare path.
            if let Some(labels) = labels(route.uri, &request.path, &query)
                && found.as_ref().is_none_or(|(known, _)| weight(route.uri) > weight(known.uri))
            {
                found = Some((route, labels));
            }
        }
        let (route, mut input) = found
            .ok_or_else(|| ApiError::not_simulated(format!("{}: {} {}", self.service, request.method, request.path)))?;
        for (name, member) in route.query {
            let values: Vec<Value> = query.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone().into()).collect();
            match member.strip_suffix("[]") {
                Some(member) if !values.is_empty() => drop(input.insert(member.to_owned(), values.into())),
                None => drop(values.into_iter().next().map(|value| input.insert((*member).to_owned(), value))),
                Some(_) => {}
            }
        }
        for (name, member) in route.headers {
            if let Some(value) = request.header(name) {
                input.insert((*member).to_owned(), value.into());
            }
        }
        if !request.body.is_empty() {
            let body = self.body(route, request)?;
            match (route.payload, body) {
                (Some(member), body) => drop(input.insert(member.to_owned(), body)),
                (None, Value::Object(mut body)) => input.append(&mut body),
                (None, _) => return Err(refuse("SerializationException", "the body is not an object")),
            }
        }
        Ok((route, Value::Object(input)))
    }

    fn body(&self, route: &Route, request: &Request) -> Result<Value, ApiError> {
        let text = || std::str::from_utf8(&request.body).map_err(|e| refuse("SerializationException", e.to_string()));
        match self.format {
            // A payload is a blob, such as that of an invocation: what is inside is none of the protocol's business.
            Format::Json if route.payload.is_some() => Ok(text()?.into()),
            Format::Json => serde_json::from_slice(&request.body)
                .map_err(|error| refuse("SerializationException", error.to_string())),
            Format::Xml => rest_xml::read(text()?, route.items),
        }
    }

    /// Writes an answer with its status, headers and body.
    pub(crate) fn encode(&self, route: &Route, output: &Value, request_id: &str) -> Response {
        let mut members = output.as_object().cloned().unwrap_or_default();
        let mut headers = vec![("x-amzn-requestid".to_owned(), request_id.to_owned())];
        for (name, member) in route.answer_headers {
            if let Some(value) = members.remove(*member).filter(|value| !value.is_null()) {
                headers.push(((*name).to_owned(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
            }
        }
        // Few operations have a status that depends on what was asked.
        let status = members.get(STATUS).and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let status = status.unwrap_or(route.status);
        members.retain(|name, value| !name.starts_with('_') && !value.is_null());
        let payload = route.answer_payload.map(|name| members.remove(name).unwrap_or_default());
        let body = match self.format {
            _ if status == 204 => String::new(),
            Format::Json => match payload {
                Some(Value::String(text)) => text,
                Some(value) => value.to_string(),
                None => Value::Object(members).to_string(),
            },
            Format::Xml => match payload {
                Some(Value::String(text)) => text,
                Some(value) => rest_xml::write(route.answer_payload.unwrap_or_default(), &value),
                None if route.answer_root.is_empty() => String::new(),
                None => rest_xml::write(route.answer_root, &Value::Object(members)),
            },
        };
        let kind = if self.format == Format::Json { "application/json" } else { "text/xml" };
        headers.push(("content-type".to_owned(), kind.to_owned()));
        Response { status, headers, body: body.into_bytes() }
    }
}

/// The member of an answer that is its HTTP status, where that is not the route's own.
pub(crate) const STATUS: &str = "_status";

/// Errors of rest-json: the code in a header, the message in the body, under the name that the error's shape has for it.
pub(crate) fn encode_json_error(error: &ApiError, request_id: &str) -> Response {
    let mut body = (*error.members).clone();
    if !body.contains_key("Message") {
        body.insert("message".to_owned(), error.message.clone().into());
    }
    let headers =
        [("content-type", "application/json"), ("x-amzn-errortype", &error.code), ("x-amzn-requestid", request_id)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Response { status: error.status, headers, body: Value::Object(body).to_string().into_bytes() }
}

/// How specific a template is: literal segments and query words count.
fn weight(uri: &str) -> usize {
    uri.split(['/', '?', '&']).filter(|part| !part.is_empty() && !part.starts_with('{')).count()
}

/// The labels of a path, if it fits the template.
fn labels(template: &str, path: &str, query: &[(String, String)]) -> Option<Map<String, Value>> {
    let (template, words) = template.split_once('?').unwrap_or((template, ""));
    for word in words.split('&').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        query.iter().find(|(n, v)| n == name && (value.is_empty() || v == value))?;
    }
    let mut found = Map::new();
    let mut segments = path.trim_start_matches('/').split('/').peekable();
    for part in template.trim_start_matches('/').split('/') {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None if segments.next()? != part => return None,
            None => {}
            Some(label) => match label.strip_suffix('+') {
                Some(label) => {
                    let rest: Vec<&str> = segments.by_ref().collect();
                    found.insert(label.to_owned(), unescaped(&rest.join("/"))?.into());
                }
                None => {
                    let segment = segments.next().filter(|segment| !segment.is_empty())?;
                    found.insert(label.to_owned(), unescaped(segment)?.into());
                }
            },
        }
    }
    // A slash at the end is no further segment.
    segments.next().is_none_or(|rest| rest.is_empty() && segments.next().is_none()).then_some(found)
}

/// Percent-decoding of a path; a plus sign in a path is itself.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LAMBDA: Rest = Rest {
        service: "lambda",
        format: Format::Json,
        routes: &[
            Route::new("CreateFunction", "POST", "/2015-03-31/functions", 201),
            Route {
                query: &[("Qualifier", "Qualifier")],
                ..Route::new("DeleteFunction", "DELETE", "/2015-03-31/functions/{FunctionName}", 204)
            },
            Route {
                headers: &[("x-amz-invocation-type", "InvocationType")],
                payload: Some("Payload"),
                answer_headers: &[("X-Amz-Executed-Version", "ExecutedVersion")],
                answer_payload: Some("Payload"),
                ..Route::new("Invoke", "POST", "/2015-03-31/functions/{FunctionName}/invocations", 200)
            },
            Route {
                query: &[("tagKeys", "TagKeys[]")],
                ..Route::new("UntagResource", "DELETE", "/2017-03-31/tags/{Resource}", 204)
            },
        ],
    };

    /// Requests as botocore 1.43 writes them.
    fn decoded(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> (&'static str, Value) {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request =
            Request { method: method.into(), path: path.into(), query: query.into(), headers, body: body.into() };
        let (route, input) = LAMBDA.decode(&request).unwrap();
        (route.operation, input)
    }

    #[test]
    fn members_come_from_path_query_headers_and_body() {
        let (operation, input) =
            decoded("POST", "/2015-03-31/functions", &[], r#"{"FunctionName": "f", "Timeout": 3}"#);
        assert_eq!((operation, input), ("CreateFunction", json!({"FunctionName": "f", "Timeout": 3})));
        let (operation, input) = decoded("DELETE", "/2015-03-31/functions/f?Qualifier=1", &[], "");
        assert_eq!((operation, input), ("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"})));
        let uri = "/2015-03-31/functions/f/invocations";
        let (operation, input) = decoded("POST", uri, &[("x-amz-invocation-type", "Event")], r#"{"a": 1}"#);
        let expected = json!({"FunctionName": "f", "InvocationType": "Event", "Payload": "{\"a\": 1}"});
        assert_eq!((operation, input), ("Invoke", expected));
    }

    #[test]
    fn labels_are_unescaped_and_repeated_query_parameters_are_a_list() {
        let uri = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af?tagKeys=a&tagKeys=b";
        let (operation, input) = decoded("DELETE", uri, &[], "");
        let expected = json!({"Resource": "arn:aws:lambda:us-east-1:1:function:f", "TagKeys": ["a", "b"]});
        assert_eq!((operation, input), ("UntagResource", expected));
    }

    #[test]
    fn an_answer_goes_into_status_headers_and_body() {
        let output = json!({"ExecutedVersion": "$LATEST", "Payload": {"ok": true}});
        let response = LAMBDA.encode(&LAMBDA.routes[2], &output, "id");
        assert_eq!((response.status, response.body.as_slice()), (200, br#"{"ok":true}"#.as_slice()));
        assert!(response.headers.contains(&("X-Amz-Executed-Version".to_owned(), "$LATEST".to_owned())));
        assert_eq!(LAMBDA.encode(&LAMBDA.routes[1], &json!({}), "id").body, b"");
        assert_eq!(LAMBDA.encode(&LAMBDA.routes[2], &json!({"_status": 202}), "id").status, 202);
    }

    #[test]
    fn a_path_of_no_operation_is_not_simulated() {
        let request = Request { method: "GET".into(), path: "/2015-03-31/nothing".into(), ..Request::default() };
        assert_eq!(LAMBDA.decode(&request).unwrap_err().code, "NotSimulated");
    }

    #[test]
    fn the_template_that_names_more_wins_and_a_greedy_label_takes_the_rest() {
        let query = [("tagging".to_owned(), String::new())];
        assert!(labels("/{Bucket}?tagging", "/b", &query).is_some());
        assert!(labels("/{Bucket}?tagging", "/b", &[]).is_none());
        assert!(weight("/{Bucket}?tagging") > weight("/{Bucket}"));
        assert_eq!(labels("/{Bucket}/{Key+}", "/b/x/y%20z", &[]).unwrap()["Key"], "x/y z");
    }

    #[test]
    fn xml_bodies_travel_in_the_same_way() {
        const ROUTE53: Rest = Rest {
            service: "route53",
            format: Format::Xml,
            routes: &[Route {
                answer_root: "ListTagsForResourceResponse",
                items: &["Tag"],
                ..Route::new("ListTagsForResource", "POST", "/2013-04-01/tags/{ResourceType}/{ResourceId}", 200)
            }],
        };
        let request = Request {
            method: "POST".into(),
            path: "/2013-04-01/tags/hostedzone/Z1".into(),
            body: "<Request><AddTags><Tag><Key>a</Key></Tag></AddTags></Request>".into(),
            ..Request::default()
        };
        let (route, input) = ROUTE53.decode(&request).unwrap();
        let expected = json!({"ResourceType": "hostedzone", "ResourceId": "Z1", "AddTags": [{"Key": "a"}]});
        assert_eq!(input, expected);
        let response = ROUTE53.encode(route, &json!({"Tags:Tag": [{"Key": "a"}]}), "id");
        let body = String::from_utf8(response.body).unwrap();
        let root = "ListTagsForResourceResponse";
        assert!(body.ends_with(&format!("<{root}><Tags><Tag><Key>a</Key></Tag></Tags></{root}>")));
    }
}
