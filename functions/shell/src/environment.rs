//! The environment of a function's process. It enters here and nowhere else.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;

/// The variables that the deployer sets for every function.
pub mod variable {
    /// The stack's name.
    pub const STACK: &str = "WHARF_STACK";
    /// The stack's DynamoDB table.
    pub const TABLE: &str = "WHARF_TABLE";
    /// The ARN of the topic on which the functions publish their notices.
    pub const SIGNALS: &str = "WHARF_SIGNALS";
}

/// The variables of a process. An empty one counts as unset.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

/// A setting that is missing or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// It is not set.
    #[error("{0} is not set")]
    Missing(String),
    /// It is no JSON of the form that is wanted.
    #[error("{0} cannot be read")]
    Unreadable(String, #[source] serde_json::Error),
    /// It has a value that means nothing.
    #[error("{0} is {1:?}, which is {2}")]
    Senseless(String, String, &'static str),
}

impl fmt::Debug for Environment {
    /// The names alone: some of the values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { variables: std::env::vars_os().filter_map(text).collect() }
    }

    /// One that is made up.
    pub fn of<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        Self { variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// A variable's value, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable that has to be set.
    ///
    /// # Errors
    /// It is not.
    pub fn required(&self, name: &str) -> Result<&str, SettingError> {
        self.get(name).ok_or_else(|| SettingError::Missing(name.to_owned()))
    }

    /// What a variable says as JSON, if it is set.
    ///
    /// # Errors
    /// It is no such JSON.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SettingError> {
        let read = |text| serde_json::from_str(text).map_err(|error| SettingError::Unreadable(name.to_owned(), error));
        self.get(name).map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_and_what_is_empty_is_missing() {
        let environment = Environment::of([("WHARF_STACK", "shop"), ("WHARF_TABLE", "")]);
        assert_eq!(environment.required(variable::STACK).unwrap(), "shop");
        let error = environment.required(variable::TABLE).unwrap_err();
        assert_eq!(error.to_string(), "WHARF_TABLE is not set");
    }

    #[test]
    fn json_is_read_and_what_is_none_is_named() {
        let environment = Environment::of([("GOOD", "[1, 2]"), ("BAD", "[1, ")]);
        assert_eq!(environment.json::<Vec<u32>>("GOOD").unwrap(), Some(vec![1, 2]));
        assert_eq!(environment.json::<Vec<u32>>("NONE").unwrap(), None);
        let error = environment.json::<Vec<u32>>("BAD").unwrap_err();
        assert!(error.to_string().starts_with("BAD "), "{error}");
    }

    #[test]
    fn shown_for_debugging_it_has_names_and_no_values() {
        let shown = format!("{:?}", Environment::of([("AWS_SECRET_ACCESS_KEY", "hunter2")]));
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hunter2"), "{shown}");
    }
}
