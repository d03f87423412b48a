//! Smithy RPC v2 CBOR: the operation in the path, CBOR in and out.
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>, <https://www.rfc-editor.org/rfc/rfc8949>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{EPOCH, Request, Response};
use crate::error::{ApiError, refuse};

/// Nesting deeper than this is not a request of any service.
const DEPTH: usize = 64;

/// The operation from `/service/<service>/operation/<operation>`, and its input.
pub(crate) fn decode(request: &Request) -> Result<(String, Value), ApiError> {
    let operation = request.path.rsplit('/').next().filter(|name| !name.is_empty());
    let operation = operation.ok_or_else(|| refuse("UnknownOperationException", "the path names no operation"))?;
    let input = if request.body.is_empty() { Value::Object(Map::new()) } else { read(&request.body)? };
    Ok((operation.to_owned(), input))
}

pub(crate) fn encode(output: &Value, request_id: &str) -> Response {
    response(200, output, request_id)
}

pub(crate) fn encode_error(error: &ApiError, request_id: &str) -> Response {
    let mut body = (*error.members).clone();
    // Where a service spoke the query protocol before, its errors have a name of that time besides.
    let shape = body.remove("_shape").unwrap_or_else(|| error.code.clone().into());
    body.insert("__type".to_owned(), shape);
    body.insert("message".to_owned(), error.message.clone().into());
    let mut response = response(error.status, &Value::Object(body), request_id);
    response.headers.push(query_error(error));
    response
}

/// <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>
pub(crate) fn query_error(error: &ApiError) -> (String, String) {
    let side = if error.status < 500 { "Sender" } else { "Receiver" };
    ("x-amzn-query-error".to_owned(), format!("{};{side}", error.code))
}

fn response(status: u16, value: &Value, request_id: &str) -> Response {
    let mut body = Vec::new();
    write(&mut body, value);
    let headers =
        [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"), ("x-amzn-requestid", request_id)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Response { status, headers, body }
}

/// Reads one CBOR value; byte strings become base64, times become seconds.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, ApiError> {
    let mut reader = Reader { rest: bytes };
    reader.value(0).ok_or_else(|| refuse("SerializationException", "the body is not CBOR"))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// Major type and argument; no argument for an indefinite length.
    fn head(&mut self) -> Option<(u8, u8, Option<u64>)> {
        let first = *self.take(1)?.first()?;
        let (major, minor) = (first >> 5, first & 31);
        let argument = match minor {
            0..24 => Some(u64::from(minor)),
            24..28 => {
                let bytes = self.take(1 << (minor - 24))?;
                Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            31 => None,
            _ => return None,
        };
        Some((major, minor, argument))
    }

    /// Whether the end of something of indefinite length is next; it is taken.
    fn ends(&mut self) -> bool {
        let end = self.rest.first() == Some(&0xff);
        if end {
            self.rest = &self.rest[1..];
        }
        end
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        let (major, minor, argument) = self.head()?;
        match (major, argument) {
            (0, Some(number)) => Some(number.into()),
            (1, Some(number)) => Some((-1 - i64::try_from(number).ok()?).into()),
            (2, length) => Some(STANDARD.encode(self.bytes(2, length)?).into()),
            (3, length) => Some(String::from_utf8(self.bytes(3, length)?).ok()?.into()),
            (4, length) => self.list(length, depth).map(Value::Array),
            (5, length) => self.map(length, depth).map(Value::Object),
            (6, Some(_)) => self.value(depth + 1),
            (7, Some(bits)) => simple(minor, bits),
            _ => None,
        }
    }

    fn bytes(&mut self, major: u8, length: Option<u64>) -> Option<Vec<u8>> {
        if let Some(length) = length {
            return Some(self.take(usize::try_from(length).ok()?)?.to_vec());
        }
        let mut all = Vec::new();
        while !self.ends() {
            let (chunk, _, length) = self.head()?;
            all.extend_from_slice(self.take(usize::try_from(length.filter(|_| chunk == major)?).ok()?)?);
        }
        Some(all)
    }

    fn list(&mut self, length: Option<u64>, depth: usize) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        while length.map_or_else(|| !self.ends(), |length| (items.len() as u64) < length) {
            items.push(self.value(depth + 1)?);
        }
        Some(items)
    }

    fn map(&mut self, length: Option<u64>, depth: usize) -> Option<Map<String, Value>> {
        let (mut members, mut read) = (Map::new(), 0);
        while length.map_or_else(|| !self.ends(), |length| read < length) {
            let Value::String(key) = self.value(depth + 1)? else { return None };
            members.insert(key, self.value(depth + 1)?);
            read += 1;
        }
        Some(members)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "as many bits as were read")]
fn simple(minor: u8, bits: u64) -> Option<Value> {
    match minor {
        20 => Some(false.into()),
        21 => Some(true.into()),
        22 | 23 => Some(Value::Null),
        25 => Some(half(bits as u16).into()),
        26 => Some(f64::from(f32::from_bits(bits as u32)).into()),
        27 => Some(f64::from_bits(bits).into()),
        _ => None,
    }
}

/// Half precision, which encoders choose for small round numbers.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = ((bits >> 10) & 31, f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2_f64.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// Writes a value; a moment becomes a tagged time.
pub(crate) fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(flag) => out.push(if *flag { 0xf5 } else { 0xf4 }),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => head(out, 0, number),
            (None, Some(number)) => head(out, 1, (-1 - number).unsigned_abs()),
            (None, None) => float(out, number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => {
            head(out, 3, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(out, 4, items.len() as u64);
            items.iter().for_each(|item| write(out, item));
        }
        Value::Object(map) => match map.get(EPOCH).and_then(Value::as_f64) {
            Some(seconds) => {
                head(out, 6, 1);
                float(out, seconds);
            }
            None => {
                let shown = |(key, value): &(&String, &Value)| {
                    !key.starts_with('_') || key.as_str() == "__type" && value.is_string()
                };
                let members: Vec<_> = map.iter().filter(|member| shown(member) && !member.1.is_null()).collect();
                head(out, 5, members.len() as u64);
                for (key, value) in members {
                    head(out, 3, key.len() as u64);
                    out.extend_from_slice(key.as_bytes());
                    write(out, value);
                }
            }
        },
    }
}

fn float(out: &mut Vec<u8>, number: f64) {
    out.push(0xfb);
    out.extend_from_slice(&number.to_be_bytes());
}

#[expect(clippy::cast_possible_truncation, reason = "each arm's range fits")]
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..24 => out.push(major | argument as u8),
        24..0x100 => out.extend_from_slice(&[major | 24, argument as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let value =
            json!({"a": [1, -1, 24, 256, 70_000, 5_000_000_000_u64, -500], "b": {"c": "text ä", "d": 1.5}, "e": true});
        let mut bytes = Vec::new();
        write(&mut bytes, &value);
        assert_eq!(read(&bytes).unwrap(), value);
    }

    /// Examples from RFC 8949, appendix A.
    #[test]
    fn the_examples_of_the_standard_are_read() {
        let examples: &[(&[u8], Value)] = &[
            (&[0x18, 0x64], json!(100)),
            (&[0x38, 0x63], json!(-100)),
            (&[0xf9, 0x3e, 0x00], json!(1.5)),
            (&[0xf9, 0xc4, 0x00], json!(-4.0)),
            (&[0xfa, 0x47, 0xc3, 0x50, 0x00], json!(100_000.0)),
            (&[0xc1, 0x1a, 0x51, 0x4b, 0x67, 0xb0], json!(1_363_896_240)),
            (&[0x44, 1, 2, 3, 4], json!("AQIDBA==")),
            (&[0x7f, 0x65, 0x73, 0x74, 0x72, 0x65, 0x61, 0x64, 0x6d, 0x69, 0x6e, 0x67, 0xff], json!("streaming")),
            (&[0xbf, 0x61, 0x61, 0x01, 0x61, 0x62, 0x9f, 0x02, 0x03, 0xff, 0xff], json!({"a": 1, "b": [2, 3]})),
        ];
        for (bytes, expected) in examples {
            assert_eq!(&read(bytes).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_cut_short_or_endless_is_refused() {
        assert!(read(&[0x62, 0x61]).is_err());
        assert!(read(&[0x9f; 200]).is_err());
        assert!(read(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn a_moment_is_a_tagged_time() {
        let mut bytes = Vec::new();
        write(&mut bytes, &json!({EPOCH: 1.5}));
        assert_eq!(bytes[..2], [0xc1, 0xfb]);
    }

    /// Requests as botocore 1.43 writes them.
    #[test]
    fn the_requests_of_a_client_are_read() {
        let alarm = "a669416c61726d4e616d656161714576616c756174696f6e506572696f647303695468726573686f6c64fb3ff8000000000000\
                     6e416374696f6e73456e61626c6564f572436f6d70617269736f6e4f70657261746f7274477265617465725468616e546872657368\
                     6f6c64645461677381a2634b6579616b6556616c75656176";
        let expected = json!({
            "AlarmName": "a", "EvaluationPeriods": 3, "Threshold": 1.5, "ActionsEnabled": true,
            "ComparisonOperator": "GreaterThanThreshold", "Tags": [{"Key": "k", "Value": "v"}],
        });
        assert_eq!(read(&unhex(alarm)).unwrap(), expected);
        let statistics = "a5694e616d657370616365616e6a4d65747269634e616d65616d69537461727454696d65c11a695b7d90\
                          67456e6454696d65c11a695b7d9066506572696f64183c";
        let expected = json!({
            "Namespace": "n", "MetricName": "m", "StartTime": 1_767_603_600, "EndTime": 1_767_603_600, "Period": 60,
        });
        assert_eq!(read(&unhex(statistics)).unwrap(), expected);
    }

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }
}
