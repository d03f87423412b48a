//! The query protocol: a form in, XML out.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Request, Response, xml};
use crate::error::{ApiError, refuse};

/// Action and parameters of a form. `A.1.B=x` becomes `{"A": [{"B": "x"}]}`; the word between a list and its
/// numbers (`Tags.member.1`, `Tags.Tag.1`) is dropped, except in EC2's dialect, which has none.
pub(crate) fn decode(request: &Request, dialect: Dialect) -> Result<(String, Value), ApiError> {
    let form = if request.body.is_empty() { request.query.as_bytes() } else { &request.body };
    let mut root = Node::default();
    let mut action = None;
    for (key, value) in form_urlencoded::parse(form) {
        match key.as_ref() {
            "Action" => action = Some(value.into_owned()),
            "Version" => {}
            _ => root.put(key.split('.'), value.into_owned()),
        }
    }
    let action = action.ok_or_else(|| refuse("MissingAction", "The request must contain the parameter Action"))?;
    Ok((action, root.into_map(dialect)))
}

/// Whether lists have a word between their name and their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Ec2,
    Plain,
}

#[derive(Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn put<'a>(&mut self, mut path: impl Iterator<Item = &'a str>, value: String) {
        match path.next() {
            Some(name) => self.children.entry(name.to_owned()).or_default().put(path, value),
            None => self.text = Some(value),
        }
    }

    fn into_map(self, dialect: Dialect) -> Value {
        Value::Object(
            self.children.into_iter().map(|(name, node)| (name, node.into_value(dialect))).collect::<Map<_, _>>(),
        )
    }

    fn is_list(&self) -> bool {
        !self.children.is_empty() && self.children.keys().all(|name| name.parse::<u32>().is_ok())
    }

    fn into_value(mut self, dialect: Dialect) -> Value {
        if self.children.is_empty() {
            return Value::String(self.text.unwrap_or_default());
        }
        if self.is_list() {
            let mut items: Vec<(u32, Node)> =
                self.children.into_iter().map(|(n, node)| (n.parse().unwrap_or(0), node)).collect();
            items.sort_by_key(|(n, _)| *n);
            return Value::Array(items.into_iter().map(|(_, node)| node.into_value(dialect)).collect());
        }
        if dialect == Dialect::Plain
            && self.children.len() == 1
            && let Some((name, only)) = self.children.pop_first()
        {
            // Only a wrapper word goes; a structure whose one member is a list keeps it (`IpPermissions.1.IpRanges.1`).
            if only.is_list() && is_wrapper(&name) {
                return only.into_value(dialect);
            }
            self.children.insert(name, only);
        }
        self.into_map(dialect)
    }
}

/// The words that stand between a list's name and its numbers, in the query services simulated here.
fn is_wrapper(name: &str) -> bool {
    matches!(
        name,
        "member"
            | "entry"
            | "Tag"
            | "Filter"
            | "Value"
            | "Parameter"
            | "VpcSecurityGroupId"
            | "SubnetIdentifier"
            | "DBSecurityGroupName"
            | "AvailabilityZone"
            | "EventCategory"
            | "SourceId"
            | "DBProcessorFeature"
            | "ProcessorFeature"
            | "OptionConfiguration"
            | "AttributeValue"
    )
}

pub(crate) fn encode(operation: &str, namespace: &str, output: &Value, request_id: &str) -> Response {
    let mut out = format!("<{operation}Response xmlns=\"{namespace}\">");
    // An operation that answers nothing has no element for it either.
    if output.as_object().is_none_or(|members| !members.is_empty()) {
        out.push_str(&format!("<{operation}Result>"));
        xml::members(&mut out, output, "member");
        out.push_str(&format!("</{operation}Result>"));
    }
    out.push_str(&format!(
        "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    ));
    response(200, out, request_id)
}

pub(crate) fn encode_error(namespace: &str, error: &ApiError, request_id: &str) -> Response {
    let mut out = format!("<ErrorResponse xmlns=\"{namespace}\"><Error>");
    xml::text(&mut out, "Type", if error.status < 500 { "Sender" } else { "Receiver" });
    xml::text(&mut out, "Code", &error.code);
    xml::text(&mut out, "Message", &error.message);
    xml::members(&mut out, &Value::Object((*error.members).clone()), "member");
    out.push_str(&format!("</Error><RequestId>{request_id}</RequestId></ErrorResponse>"));
    response(error.status, out, request_id)
}

pub(crate) fn response(status: u16, body: String, request_id: &str) -> Response {
    let headers = vec![
        ("content-type".to_owned(), "text/xml;charset=UTF-8".to_owned()),
        ("x-amzn-requestid".to_owned(), request_id.to_owned()),
    ];
    Response { status, headers, body: body.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(body: &str) -> Value {
        decode(&Request { body: body.into(), ..Request::default() }, Dialect::Plain).unwrap().1
    }

    #[test]
    fn numbered_names_become_lists_in_numeric_order() {
        let expected: Value =
            serde_json::json!({"Filter": [{"Name": "a", "Value": ["x"]}, {"Name": "b"}], "Id": ["1", "2"]});
        assert_eq!(decoded("Action=A&Filter.2.Name=b&Filter.1.Name=a&Filter.1.Value.1=x&Id.1=1&Id.2=2"), expected);
        let many: String = (1..=11).map(|n| format!("&Id.{n}=v{n}")).collect();
        assert_eq!(decoded(&format!("Action=A{many}"))["Id"][10], "v11");
    }

    #[test]
    fn the_word_between_a_list_and_its_numbers_is_dropped() {
        assert_eq!(
            decoded("Action=A&Tags.member.1.Key=k&Ids.VpcSecurityGroupId.1=sg"),
            serde_json::json!({"Tags": [{"Key": "k"}], "Ids": ["sg"]})
        );
    }

    #[test]
    fn a_structure_whose_only_member_is_a_list_stays_a_structure() {
        assert_eq!(
            decoded("Action=A&P.1.IpRanges.1.CidrIp=c"),
            serde_json::json!({"P": [{"IpRanges": [{"CidrIp": "c"}]}]})
        );
    }
}
