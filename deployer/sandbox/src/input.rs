//! Typed access to a request's parameters that notices what nobody looked at.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::error::{ApiError, refuse};

/// The parameters of a call, or of one structure in it. A parameter that no handler reads makes the call
/// fail as not simulated: nothing is silently ignored.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    service: &'static str,
    path: String,
    value: Map<String, Value>,
    unread: Rc<RefCell<BTreeSet<String>>>,
}

impl Input {
    pub(crate) fn new(service: &'static str, value: Value) -> Self {
        let value = match value {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let unread = value.iter().filter(|(_, v)| asks(v)).map(|(k, _)| k.clone()).collect();
        Self { service, path: String::new(), value, unread: Rc::new(RefCell::new(unread)) }
    }

    /// The parameters that nobody looked at.
    pub(crate) fn unread(&self) -> Vec<String> {
        self.unread.borrow().iter().cloned().collect()
    }

    /// The whole value, counted as read: for what is kept as it came.
    pub(crate) fn raw(&self) -> Value {
        self.unread.borrow_mut().retain(|path| !path.starts_with(&self.path));
        Value::Object(self.value.clone())
    }

    /// The parameters without some, to compare two calls with one client token.
    pub(crate) fn without(&self, names: &[&str]) -> Value {
        Value::Object(
            self.value
                .iter()
                .filter(|(k, _)| !names.contains(&k.as_str()))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        )
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.value.get(name).is_some_and(|v| !v.is_null())
    }

    /// Any value, counted as read with all that is inside it.
    pub(crate) fn opt(&self, name: &str) -> Option<&Value> {
        self.unread.borrow_mut().remove(&self.place(name));
        self.value.get(name).filter(|v| !v.is_null())
    }

    /// Counts parameters as read that have no meaning here, such as a DryRun that was already judged.
    pub(crate) fn ignore(&self, names: &[&str]) {
        for name in names {
            let _ = self.opt(name);
        }
    }

    pub(crate) fn opt_str(&self, name: &str) -> Option<&str> {
        self.opt(name).and_then(Value::as_str)
    }

    pub(crate) fn str(&self, name: &str) -> Result<&str, ApiError> {
        self.opt_str(name).filter(|text| !text.is_empty()).ok_or_else(|| self.missing(name))
    }

    pub(crate) fn string(&self, name: &str) -> Result<String, ApiError> {
        self.str(name).map(str::to_owned)
    }

    pub(crate) fn opt_bool(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.opt(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(other) => Err(self.invalid(name, other)),
        }
    }

    pub(crate) fn bool_or(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        Ok(self.opt_bool(name)?.unwrap_or(default))
    }

    pub(crate) fn opt_int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.opt(name) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                number.as_i64().map(Some).ok_or_else(|| self.invalid(name, &Value::Number(number.clone())))
            }
            Some(Value::String(text)) => {
                text.parse().map(Some).map_err(|_| self.invalid(name, &Value::String(text.clone())))
            }
            Some(other) => Err(self.invalid(name, other)),
        }
    }

    pub(crate) fn int(&self, name: &str) -> Result<i64, ApiError> {
        self.opt_int(name)?.ok_or_else(|| self.missing(name))
    }

    /// A list of texts; absent or empty is an empty list.
    pub(crate) fn strings(&self, name: &str) -> Vec<String> {
        match self.opt(name) {
            Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    }

    /// A structure, whose own members are tracked like the call's.
    pub(crate) fn object(&self, name: &str) -> Option<Input> {
        let value = self.opt(name)?;
        Some(self.inside(self.place(name), value))
    }

    /// A list of structures.
    pub(crate) fn objects(&self, name: &str) -> Vec<Input> {
        match self.opt(name) {
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(i, item)| self.inside(format!("{}.{}", self.place(name), i + 1), item))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The names of all members, for maps whose keys the caller chose.
    pub(crate) fn names(&self) -> Vec<String> {
        self.value.keys().cloned().collect()
    }

    fn inside(&self, path: String, value: &Value) -> Input {
        let value = value.as_object().cloned().unwrap_or_default();
        self.unread.borrow_mut().extend(value.iter().filter(|(_, v)| asks(v)).map(|(k, _)| format!("{path}.{k}")));
        Input { service: self.service, path, value, unread: Rc::clone(&self.unread) }
    }

    fn place(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// What AWS says when a required parameter is not there; the services do not agree on how.
    pub(crate) fn missing(&self, name: &str) -> ApiError {
        let place = self.place(name);
        match self.service {
            "ec2" => refuse("MissingParameter", format!("The request must contain the parameter {place}")),
            "rds" => refuse("MissingParameter", format!("The request must contain the parameter {place}.")),
            "iam" | "sts" | "autoscaling" | "elasticloadbalancing" | "monitoring" | "sns" => {
                refuse("ValidationError", must_not_be_null(&place))
            }
            _ => refuse("ValidationException", must_not_be_null(&place)),
        }
    }

    /// What AWS says when a parameter has the wrong form.
    pub(crate) fn invalid(&self, name: &str, value: &Value) -> ApiError {
        let place = self.place(name);
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.service {
            "ec2" | "rds" => {
                refuse("InvalidParameterValue", format!("Value ({shown}) for parameter {place} is invalid."))
            }
            "iam" | "sts" | "autoscaling" | "elasticloadbalancing" | "monitoring" | "sns" => {
                refuse("ValidationError", format!("Value '{shown}' at '{place}' failed to satisfy constraint"))
            }
            _ => refuse("ValidationException", format!("Value '{shown}' at '{place}' failed to satisfy constraint")),
        }
    }
}

/// Whether a value asks for anything: an empty list, as Terraform's provider sends for all that it was not told, does not.
fn asks(value: &Value) -> bool {
    !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty())
}

fn must_not_be_null(place: &str) -> String {
    let mut letters = place.chars();
    let lower = letters.next().map(|first| first.to_lowercase().chain(letters).collect::<String>()).unwrap_or_default();
    format!(
        "1 validation error detected: Value null at '{lower}' failed to satisfy constraint: Member must not be null"
    )
}
