//! What is wrong in a stack file, as it is shown: the message, the line with the text underlined, what to write.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

/// Whether a problem stops everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can, but it is probably not meant.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: a fragment that names the key.
    pub message: String,
    /// The offending text, as bytes of the file.
    pub span: Range<usize>,
    /// What stands under that text.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Whether it stops everything.
    pub severity: Severity,
}

impl Problem {
    /// An error.
    pub(super) fn error(message: impl Into<String>, span: Range<usize>, label: impl Into<String>) -> Self {
        Self { message: message.into(), span, label: label.into(), help: None, severity: Severity::Error }
    }

    /// The same as a warning.
    pub(super) fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// The same, saying what to write instead.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// An error of the TOML itself.
    pub(super) fn from_toml(error: &toml::de::Error) -> Self {
        let mut lines = error.message().lines();
        let first = lines.next().unwrap_or("malformed").to_owned();
        let rest: Vec<&str> = lines.collect();
        let problem = Self::error("this is not TOML", error.span().unwrap_or(0..0), first);
        let problem = if rest.is_empty() { problem } else { problem.help(rest.join(", ")) };
        if problem.help.is_some() { problem } else { problem.help("see https://toml.io for how TOML is written") }
    }
}

/// The problems of one file.
#[derive(Clone, Debug)]
pub struct Problems {
    source: Arc<NamedSource<String>>,
    problems: Vec<Problem>,
}

impl Problems {
    /// Problems of the file `name` that holds `text`, in the order of their places.
    pub(super) fn new(name: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        problems.dedup();
        Self { source: Arc::new(NamedSource::new(name, text.to_owned())), problems }
    }

    /// Each problem.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// Line and column, from 1, of a problem.
    #[must_use]
    pub fn position(&self, problem: &Problem) -> (usize, usize) {
        let before = self.source.inner().get(..problem.span.start).unwrap_or_default();
        let line_begin = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_begin..].chars().count() + 1)
    }

    /// The file's name.
    #[must_use]
    pub fn file(&self) -> &str {
        self.source.name()
    }

    /// The problems as they are shown, `width` columns wide.
    #[must_use]
    pub fn render(&self, colour: bool, width: usize) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false);
        let mut out = String::new();
        for problem in &self.problems {
            let shown = Shown { problem, source: &self.source };
            if handler.render_report(&mut out, &shown).is_err() {
                out.push_str(&problem.message);
            }
            out.push('\n');
        }
        out
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false, 100))
    }
}

impl std::error::Error for Problems {}

/// A problem beside its file, for miette.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: &'a NamedSource<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.clone();
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some(self.problem.label.clone()), span))))
    }
}
