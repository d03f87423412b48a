//! A simulated account that another process serves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use super::wharf;

/// Serves an empty account for as long as it lives.
pub(crate) struct Account {
    child: Child,
    /// Where.
    pub(crate) url: String,
}

impl Account {
    /// `speed` times as fast as real time.
    pub(crate) fn serve(speed: &str) -> Self {
        let mut command = wharf(&["sandbox", "--serve", "127.0.0.1:0", "--speed", speed]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        Self { url: url.trim_end_matches(',').to_owned(), child }
    }

    /// Calls an operation of a JSON service, past Wharf; answers the body.
    pub(crate) fn json(&self, service: &str, target: &str, body: &str) -> String {
        self.post(service, &format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: {target}\r\n"), body)
    }

    /// Calls an operation of a query service, past Wharf; answers the body.
    pub(crate) fn query(&self, service: &str, body: &str) -> String {
        self.post(service, "Content-Type: application/x-www-form-urlencoded\r\n", body)
    }

    fn post(&self, service: &str, headers: &str, body: &str) -> String {
        let host = self.url.trim_start_matches("http://");
        let credential = format!("AKIASANDBOX/20260101/us-east-1/{service}/aws4_request");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={credential}, \
             SignedHeaders=host, Signature=0\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        body.to_owned()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
