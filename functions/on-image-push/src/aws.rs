//! One call of AWS: what went wrong with it, and whether to ask again makes sense.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {text}")]
pub(crate) struct CallError {
    pub(crate) action: &'static str,
    /// AWS's code, if it answered.
    pub(crate) code: Option<String>,
    pub(crate) text: String,
    /// AWS refuses what it was asked for, and would again.
    pub(crate) refused: bool,
}

/// Refusals that are not about what was asked for: a permission that is on its way, a rate, credentials that run out.
const PASSING: [&str; 8] = [
    "AccessDenied",
    "Throttl",
    "TooManyRequests",
    "ExpiredToken",
    "Unrecognized",
    "RequestTimeout",
    "InProgress",
    "RequestLimit",
];

impl CallError {
    pub(crate) fn of<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let Some(service) = error.as_service_error() else {
            return Self { action, code: None, text: wharf_shell::chain(error), refused: false };
        };
        let code = service.code().unwrap_or("Unknown").to_owned();
        let client = error.raw_response().is_some_and(|response| response.status().is_client_error());
        let refused = client && !PASSING.iter().any(|passing| code.contains(passing));
        let text = format!("{code}: {}", service.message().unwrap_or("no message"));
        Self { action, code: Some(code), text, refused }
    }

    /// An answer that lacks what it is asked for.
    pub(crate) fn lacks(action: &'static str, what: &str) -> Self {
        Self { action, code: None, text: format!("the answer has no {what}"), refused: false }
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// What AWS refuses is an answer; what went wrong on the way is not.
pub(crate) fn answered<T>(result: Result<T, CallError>) -> Result<Result<T, String>, CallError> {
    match result {
        Err(error) if error.refused => Ok(Err(error.to_string())),
        result => result.map(Ok),
    }
}
