//! What the tests of this crate share: calling an operation as a client would, over the wire format.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::dispatch::Delivery;
use crate::sandbox::Sandbox;
use crate::weather::Weather;
use crate::wire::{Request, Response};

/// An account in which nothing goes wrong by chance.
pub(crate) fn calm() -> Sandbox {
    Sandbox::builder().seed(1).weather(Weather::calm()).build()
}

fn signed(service: &str) -> (String, String) {
    let credential = format!("Credential=AKIA/20260105/us-east-1/{service}/aws4_request");
    ("authorization".to_owned(), format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"))
}

/// What came back: the body, or the error's code. A lost reply is the code `lost`.
pub(crate) type Answer = Result<String, String>;

fn sent(sandbox: &Sandbox, request: &Request) -> Answer {
    match sandbox.call(request).delivery {
        Delivery::Answer(response) => judged(response),
        Delivery::NeverArrived | Delivery::ReplyLost => Err("lost".to_owned()),
    }
}

fn judged(response: Response) -> Answer {
    let body = String::from_utf8_lossy(&response.body).into_owned();
    if response.status < 300 {
        return Ok(body);
    }
    let code = text(&body, "Code").or_else(|| {
        let value: Value = serde_json::from_str(&body).ok()?;
        value["__type"].as_str().map(str::to_owned)
    });
    Err(code.unwrap_or(body))
}

/// Calls an operation of a query service.
pub(crate) fn query(sandbox: &Sandbox, service: &str, action: &str, parameters: &[(&str, &str)]) -> Answer {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action).extend_pairs(parameters);
    let headers = vec![signed(service)];
    sent(
        sandbox,
        &Request {
            method: "POST".into(),
            path: "/".into(),
            headers,
            body: form.finish().into_bytes(),
            ..Request::default()
        },
    )
}

/// Calls EC2.
pub(crate) fn ec2(sandbox: &Sandbox, action: &str, parameters: &[(&str, &str)]) -> Answer {
    query(sandbox, "ec2", action, parameters)
}

/// Calls EC2 for an id in its answer.
pub(crate) fn ec2_id(sandbox: &Sandbox, action: &str, element: &str, parameters: &[(&str, &str)]) -> String {
    let answer = ec2(sandbox, action, parameters);
    answer
        .as_ref()
        .ok()
        .and_then(|body| text(body, element))
        .unwrap_or_else(|| format!("{action}: no {element} in {answer:?}"))
}

/// The text of the first element of that name.
pub(crate) fn text(xml: &str, element: &str) -> Option<String> {
    let rest = xml.split_once(&format!("<{element}>"))?.1;
    Some(rest.split_once("</")?.0.to_owned())
}

/// How often each kind is in the account.
pub(crate) fn kinds(sandbox: &Sandbox) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for resource in sandbox.inventory() {
        *kinds.entry(resource.kind).or_default() += 1;
    }
    kinds
}
