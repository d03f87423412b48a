//! Errors as a caller of AWS gets them, and those of the sandbox's own handle.

use serde_json::{Map, Value};

/// What a handler answers: the result's members, or an error in AWS's terms.
pub(crate) type Outcome = Result<Value, ApiError>;

/// An error that AWS would answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: u16,
    /// Further members that the error's shape has (JSON services); boxed, for every handler answers with this type.
    pub(crate) members: Box<Map<String, Value>>,
}

impl ApiError {
    pub(crate) fn with_status(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status, members: Box::default() }
    }

    /// Adds a member to the error's body.
    #[must_use]
    pub(crate) fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Something AWS can do and this account cannot: never a silent success.
    pub(crate) fn not_simulated(what: impl AsRef<str>) -> Self {
        Self::with_status(501, "NotSimulated", format!("not simulated: {}", what.as_ref()))
    }
}

/// A client error (HTTP 400) with AWS's code.
pub(crate) fn refuse(code: impl Into<String>, message: impl Into<String>) -> ApiError {
    ApiError::with_status(400, code, message)
}

/// What can go wrong when a test or a command reaches into the account from behind.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There is no such object.
    #[error("no {kind} with id {id} in the sandbox account")]
    NoSuchResource {
        /// The kind asked for.
        kind: String,
        /// The id asked for.
        id: String,
    },
    /// A policy document that cannot be used.
    #[error("the policy is not usable: {0}")]
    Policy(String),
    /// The recording could not be written.
    #[error("the recording cannot be written")]
    Recording(#[from] std::io::Error),
}
