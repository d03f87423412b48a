//! The secret that opens Slack: read from the parameter store, kept for a while, never shown.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wharf_shell::chain;

/// A secret. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What it is, for the one call that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The parameter that holds the secret.
#[derive(Debug)]
pub(crate) struct Vault {
    ssm: aws_sdk_ssm::Client,
    name: String,
    kept: Mutex<Option<(Secret, Instant)>>,
}

/// A secret is read again after this.
pub(crate) const TTL: Duration = Duration::from_secs(300);

/// The secret is not to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSecret {
    #[error("cannot read the parameter {0}: {1}")]
    Call(String, String),
    #[error("the parameter {0} is empty")]
    Empty(String),
}

impl Vault {
    pub(crate) fn new(ssm: aws_sdk_ssm::Client, name: &str) -> Self {
        Self { ssm, name: name.to_owned(), kept: Mutex::default() }
    }

    /// The secret, at most so old.
    pub(crate) async fn get(&self) -> Result<Secret, NoSecret> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((secret, _)) = kept.filter(|(_, since)| since.elapsed() < TTL) {
            return Ok(secret);
        }
        let answer = self.ssm.get_parameter().name(&self.name).with_decryption(true).send().await;
        let answer = answer.map_err(|error| NoSecret::Call(self.name.clone(), chain(&error)))?;
        let value = answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default();
        let value = value.trim();
        if value.is_empty() {
            return Err(NoSecret::Empty(self.name.clone()));
        }
        let secret = Secret::new(value);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((secret.clone(), Instant::now()));
        Ok(secret)
    }

    /// Forgets a secret that Slack does not know any more.
    pub(crate) fn forget(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("xoxb-1234");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "Secret Some(\n    Secret,\n)");
    }
}
