//! The one way out: results to stdout, progress and errors to stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use owo_colors::{OwoColorize, Style};

use super::failure::{Failure, Stop};

/// How much is said, and in which form.
#[derive(Clone, Debug)]
pub struct Printer {
    /// Results are JSON.
    pub json: bool,
    /// Only results and errors.
    pub quiet: bool,
    /// Everything.
    pub verbose: bool,
    /// Colours on stdout.
    pub out: Paint,
    /// Colours on stderr.
    pub err: Paint,
    /// Stderr is a terminal, whose lines can be written anew.
    pub live: bool,
    /// Stdin and stderr are terminals: somebody can be asked.
    pub interactive: bool,
    /// Columns.
    pub width: usize,
}

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    fn style(self, text: impl Display, style: Style) -> String {
        if self.0 { text.style(style).to_string() } else { text.to_string() }
    }

    /// What is well.
    #[must_use]
    pub fn green(self, text: impl Display) -> String {
        self.style(text, Style::new().green())
    }

    /// What changes.
    #[must_use]
    pub fn yellow(self, text: impl Display) -> String {
        self.style(text, Style::new().yellow())
    }

    /// What goes, or is wrong.
    #[must_use]
    pub fn red(self, text: impl Display) -> String {
        self.style(text, Style::new().red())
    }

    /// What is adopted or awaited.
    #[must_use]
    pub fn cyan(self, text: impl Display) -> String {
        self.style(text, Style::new().cyan())
    }

    /// What matters.
    #[must_use]
    pub fn bold(self, text: impl Display) -> String {
        self.style(text, Style::new().bold())
    }

    /// What can be skipped.
    #[must_use]
    pub fn dim(self, text: impl Display) -> String {
        self.style(text, Style::new().dimmed())
    }
}

impl Printer {
    /// A printer for the process's own streams.
    #[must_use]
    pub fn new(json: bool, quiet: bool, verbose: bool, no_colour: bool, columns: Option<usize>) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            json,
            quiet,
            verbose,
            out: Paint(out && !no_colour),
            err: Paint(err && !no_colour),
            live: err && !json,
            interactive: err && io::stdin().is_terminal() && !json,
            width: columns.unwrap_or(100).clamp(40, 160),
        }
    }

    /// A result for people; programs get [`Printer::document`].
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn result(&self, text: impl Display) -> Result<(), Stop> {
        if self.json { Ok(()) } else { write_out(&format!("{text}\n")) }
    }

    /// A result for programs: one JSON document.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn document(&self, document: &serde_json::Value) -> Result<(), Stop> {
        if self.json { write_out(&format!("{document:#}\n")) } else { Ok(()) }
    }

    /// A text that is the result in either form: a script of completions, a schema, a policy.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn raw(&self, text: impl Display) -> Result<(), Stop> {
        write_out(&format!("{text}\n"))
    }

    /// Something to know while it runs.
    pub fn note(&self, text: impl Display) {
        if !self.quiet && !self.json {
            self.line(text);
        }
    }

    /// A line on stderr. That nobody reads it stops nothing.
    pub fn line(&self, text: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Text on stderr, as it stands.
    pub(super) fn put(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }

    /// An error: what happened, why, what to do.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            self.line(super::json::failure(failure));
        } else {
            self.put(&failure.render(self.err, self.width));
        }
    }

    /// Asks at the terminal; anything but yes is no.
    #[must_use]
    pub fn ask(&self, question: &str) -> bool {
        self.put(&format!("{} [y/N] ", self.err.bold(question)));
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }
}

fn write_out(text: &str) -> Result<(), Stop> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::NobodyReads,
        _ => Failure::ours("cannot write the result").because(&error).into(),
    })
}
