//! Why an invocation failed, as Lambda is told.

use std::error::Error;

use lambda_runtime::Diagnostic;

use crate::environment::SettingError;

/// Why an invocation failed. Lambda keeps kind and message, and decides about trying again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The kind, by which programs tell faults apart: `Settings`, `NotUnderstood`, `Aws`.
    pub kind: &'static str,
    /// What people read.
    pub message: String,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A fault of this kind that an error caused, with all that is behind the error.
    pub fn caused(kind: &'static str, error: &(dyn Error + 'static)) -> Self {
        Self::new(kind, chain(error))
    }

    /// What came in is nothing that this function understands.
    pub fn not_understood(message: impl Into<String>) -> Self {
        Self::new("NotUnderstood", message)
    }
}

impl From<SettingError> for Fault {
    fn from(error: SettingError) -> Self {
        Self::caused("Settings", &error)
    }
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        Self { error_type: fault.kind.to_owned(), error_message: fault.message }
    }
}

/// An error with all that is behind it, on one line. A cause that only repeats what is there already is left out.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("cannot publish")]
        Adds(#[source] std::io::Error),
        #[error("cannot publish: {0}")]
        Repeats(#[source] std::io::Error),
    }

    #[test]
    fn a_chain_has_every_cause_once() {
        let cause = || std::io::Error::other("no route");
        assert_eq!(chain(&Outer::Adds(cause())), "cannot publish: no route");
        assert_eq!(chain(&Outer::Repeats(cause())), "cannot publish: no route");
    }

    #[test]
    fn lambda_is_told_kind_and_message() {
        let told = Diagnostic::from(Fault::from(SettingError::Missing("WHARF_TABLE".to_owned())));
        assert_eq!((told.error_type.as_str(), told.error_message.as_str()), ("Settings", "WHARF_TABLE is not set"));
    }
}
