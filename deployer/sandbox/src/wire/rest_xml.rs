//! XML bodies of the REST protocol (Route 53, S3), read and written.
//! <https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html>

use serde_json::{Map, Value};

use super::{Response, query, xml};
use crate::error::{ApiError, refuse};

/// Nesting deeper than this is not a request of any service.
const DEPTH: usize = 64;

/// Reads a document: elements become members, elements named in `items` (as `Item` or `List/Item`) become elements
/// of their parent's list.
pub(crate) fn read(text: &str, items: &[&str]) -> Result<Value, ApiError> {
    let mut reader = Reader { rest: text, items };
    let malformed = || refuse("MalformedXML", "The XML you provided was not well-formed");
    match reader.open() {
        Some((root, false)) => reader.content(root, 0).ok_or_else(malformed),
        Some((_, true)) => Ok(Value::Object(Map::new())),
        None => Err(malformed()),
    }
}

struct Reader<'a> {
    rest: &'a str,
    items: &'a [&'a str],
}

impl<'a> Reader<'a> {
    /// The name of the next element, and whether it is empty; attributes, comments and declarations are passed over.
    fn open(&mut self) -> Option<(&'a str, bool)> {
        loop {
            self.rest = self.rest.trim_start();
            if let Some(comment) = self.rest.strip_prefix("<!--") {
                self.rest = comment.split_once("-->")?.1;
            } else if self.rest.starts_with("<?") {
                self.rest = self.rest.split_once("?>")?.1;
            } else {
                break;
            }
        }
        let (tag, rest) = self.rest.strip_prefix('<').filter(|rest| !rest.starts_with(['/', '!']))?.split_once('>')?;
        self.rest = rest;
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split_ascii_whitespace().next()?;
        Some((name.rsplit(':').next().unwrap_or(name), empty))
    }

    fn is_item(&self, parent: &str, name: &str) -> bool {
        self.items.iter().any(|item| item.split_once('/').map_or(*item == name, |place| place == (parent, name)))
    }

    /// What stands up to the end tag: text, members, or a list.
    fn content(&mut self, parent: &str, depth: usize) -> Option<Value> {
        let (mut members, mut list) = (Map::new(), Vec::new());
        let text = self.rest;
        if depth > DEPTH {
            return None;
        }
        loop {
            if let Some(rest) = self.rest.trim_start().strip_prefix("</") {
                if members.is_empty() && list.is_empty() {
                    let text = text.split('<').next()?;
                    self.rest = rest.split_once('>')?.1;
                    return unescaped(text).map(Value::String);
                }
                self.rest = rest.split_once('>')?.1;
                return Some(if list.is_empty() { Value::Object(members) } else { Value::Array(list) });
            }
            let between = self.rest.find('<')?;
            if !self.rest[..between].trim().is_empty() {
                self.rest = &self.rest[between..];
                continue;
            }
            let (name, empty) = self.open()?;
            let value = if empty { Value::String(String::new()) } else { self.content(name, depth + 1)? };
            if self.is_item(parent, name) {
                list.push(value);
            } else {
                members.insert(name.to_owned(), value);
            }
        }
    }
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut parts = text.split('&');
    out.push_str(parts.next()?);
    for part in parts {
        let (entity, rest) = part.split_once(';')?;
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let digits = number.strip_prefix('#')?;
                let code = digits
                    .strip_prefix('x')
                    .map_or_else(|| digits.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
                char::from_u32(code?)?
            }
        });
        out.push_str(rest);
    }
    Some(out)
}

/// Writes a document; lists as in the query protocols: `"HostedZones:HostedZone"`, `"Contents:"`.
pub(crate) fn write(root: &str, value: &Value) -> String {
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>");
    xml::members(&mut out, value, "member");
    out.push_str(&format!("</{root}>"));
    out
}

/// S3's errors have no wrapper; those of the other services are the query protocol's.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
pub(crate) fn encode_s3_error(error: &ApiError, request_id: &str) -> Response {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    xml::text(&mut out, "Code", &error.code);
    xml::text(&mut out, "Message", &error.message);
    xml::members(&mut out, &Value::Object((*error.members).clone()), "member");
    out.push_str(&format!("<RequestId>{request_id}</RequestId></Error>"));
    query::response(error.status, out, request_id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As botocore 1.43 writes it.
    const CHANGE: &str = r#"<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Comment>a &amp; b</Comment><Changes><Change><Action>UPSERT</Action><ResourceRecordSet><Name>x.example.com</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>"1"</Value></ResourceRecord><ResourceRecord><Value>"2"</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"#;

    #[test]
    fn a_request_is_read_with_its_lists() {
        let records = json!([{"Value": "\"1\""}, {"Value": "\"2\""}]);
        let set = json!({"Name": "x.example.com", "Type": "TXT", "TTL": "60", "ResourceRecords": records});
        let expected =
            json!({"ChangeBatch": {"Comment": "a & b", "Changes": [{"Action": "UPSERT", "ResourceRecordSet": set}]}});
        assert_eq!(read(CHANGE, &["Change", "ResourceRecord"]).unwrap(), expected);
    }

    #[test]
    fn a_name_that_is_an_item_in_one_list_only_is_a_member_elsewhere() {
        let text = "<R><Add><Tag><Key>a</Key></Tag></Add><Remove><Key>b</Key><Key>c</Key></Remove></R>";
        let expected = json!({"Add": [{"Key": "a"}], "Remove": ["b", "c"]});
        assert_eq!(read(text, &["Tag", "Remove/Key"]).unwrap(), expected);
    }

    #[test]
    fn declarations_comments_and_spaces_between_elements_are_passed_over() {
        let text = "<?xml version=\"1.0\"?>\n<!-- c -->\n<a>\n  <b> x </b>\n  <c/>\n</a>";
        assert_eq!(read(text, &[]).unwrap(), json!({"b": " x ", "c": ""}));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in ["", "a", "<a>", "<a><b></a>&", "<a>&nope;</a>"] {
            assert!(read(text, &[]).is_err(), "{text}");
        }
        assert!(read(&"<a>".repeat(10_000), &[]).is_err());
    }
}
