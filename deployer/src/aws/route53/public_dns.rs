//! What the world's name servers say, asked through the machine's own resolver.
//! <https://www.rfc-editor.org/rfc/rfc1035#section-4>

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use tokio::net::UdpSocket;

use super::delegation::Names;

/// How long an answer may take; without one nothing is known, and nothing refused.
const PATIENCE: Duration = Duration::from_secs(4);
/// The type of name server records.
const NS: u16 = 2;
/// The internet.
const INTERNET: u16 = 1;
/// Any number tells the answer from another's: each question has a socket of its own.
const QUESTION: u16 = 0x5748;

/// The domain name system, as this machine sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublicDns;

impl Names for PublicDns {
    fn servers_of<'a>(&'a self, domain: &'a str) -> LocalBoxFuture<'a, Result<Vec<String>, String>> {
        let patient = tokio::time::timeout(PATIENCE, ask(domain));
        patient.map(|answer| answer.unwrap_or_else(|_| Err("no resolver answered in time".to_owned()))).boxed_local()
    }
}

async fn ask(domain: &str) -> Result<Vec<String>, String> {
    let text = std::fs::read_to_string("/etc/resolv.conf").map_err(|error| error.to_string())?;
    let resolver = resolver(&text).ok_or("no resolver is configured")?;
    let local: SocketAddr = if resolver.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(local).await.map_err(|error| error.to_string())?;
    socket.connect((resolver, 53)).await.map_err(|error| error.to_string())?;
    socket.send(&question(domain)).await.map_err(|error| error.to_string())?;
    let mut buffer = [0_u8; 4096];
    let length = socket.recv(&mut buffer).await.map_err(|error| error.to_string())?;
    answer(&buffer[..length]).ok_or_else(|| "the resolver's answer is not understood".to_owned())
}

fn resolver(text: &str) -> Option<IpAddr> {
    let mut lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    lines.find_map(|address| address.trim().parse().ok())
}

/// A question for the name servers of a domain, to be followed up by the resolver.
fn question(domain: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = [QUESTION, 0x0100, 1, 0, 0, 0];
    header.iter().for_each(|word| bytes.extend(word.to_be_bytes()));
    for label in domain.trim_end_matches('.').split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    [NS, INTERNET].iter().for_each(|word| bytes.extend(word.to_be_bytes()));
    bytes
}

/// The name servers in an answer: none when there is no such domain. Nothing when it is no answer to the question, or
/// one that says that the resolver failed otherwise.
fn answer(bytes: &[u8]) -> Option<Vec<String>> {
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    // No such name, or a zone whose servers do not answer: nobody is asked with success.
    let code = word(2)? & 0x000f;
    if word(0)? != QUESTION || word(2)? & 0x8000 == 0 || ![0, 2, 3].contains(&code) {
        return None;
    }
    let (questions, answers) = (word(4)?, word(6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = name(bytes, at)?.1 + 4;
    }
    let mut servers = Vec::new();
    for _ in 0..answers {
        let head = name(bytes, at)?.1;
        let (kind, length) = (word(head)?, usize::from(word(head + 8)?));
        if kind == NS {
            servers.push(name(bytes, head + 10)?.0);
        }
        at = head + 10 + length;
    }
    Some(servers)
}

/// The name at a place, and where it ends. A name may go on at an earlier place.
fn name(bytes: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut labels, mut at, mut end, mut jumps) = (Vec::new(), start, None, 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        if length == 0 {
            return Some((labels.join("."), end.unwrap_or(at + 1)));
        }
        if length & 0xc0 == 0xc0 {
            end = end.or(Some(at + 2));
            at = (length & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
            jumps += 1;
            if jumps > 16 {
                return None;
            }
            continue;
        }
        labels.push(String::from_utf8_lossy(bytes.get(at + 1..at + 1 + length)?).to_ascii_lowercase());
        at += 1 + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with one server, whose name goes on in that of the question.
    fn packet(code: u8, answers: u8) -> Vec<u8> {
        let mut bytes = question("example.com");
        bytes[2] = 0x81;
        bytes[3] = 0x80 | code;
        bytes[7] = answers;
        if answers > 0 {
            bytes.extend([0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 60, 0, 5, 2, b'n', b's', 0xc0, 12]);
        }
        bytes
    }

    #[test]
    fn servers_are_read_out_of_an_answer() {
        assert_eq!(answer(&packet(0, 1)), Some(vec!["ns.example.com".to_owned()]));
        assert_eq!(answer(&packet(3, 0)), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_answer_tells_nothing() {
        assert_eq!(answer(&question("example.com")), None);
        assert_eq!(answer(&packet(5, 0)), None);
        assert_eq!(answer(&packet(0, 1)[..20]), None);
        let mut endless = packet(0, 1);
        let place = question("example.com").len();
        endless[place + 1] = u8::try_from(place).unwrap();
        assert_eq!(answer(&endless), None);
    }

    #[test]
    fn the_first_resolver_is_asked() {
        assert_eq!(resolver("# x\nsearch a\nnameserver 10.0.0.2\nnameserver 1.1.1.1\n"), "10.0.0.2".parse().ok());
    }
}
