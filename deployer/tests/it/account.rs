//! A simulated account that another process serves.

use std::io::{BufRead, BufReader};
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
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
