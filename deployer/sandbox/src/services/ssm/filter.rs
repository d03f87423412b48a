//! Filters of parameter lists.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html>

use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::store::Resource;

/// The keys that DescribeParameters knows; tags come as `tag:…` besides.
pub(super) const DESCRIBED: &[&str] = &["Name", "Type", "KeyId", "Path", "Tier", "DataType", "tag:"];
/// The keys that GetParametersByPath knows.
pub(super) const BY_PATH: &[&str] = &["Type", "KeyId"];

pub(super) struct Filter {
    key: String,
    option: String,
    values: Vec<String>,
}

/// The filters of a request, under the new parameter or the old.
pub(super) fn read(input: &Input, known: &[&str]) -> Result<Vec<Filter>, ApiError> {
    let (new, old) = (input.objects("ParameterFilters"), input.objects("Filters"));
    if !new.is_empty() && !old.is_empty() {
        let message = "You can use either Filters or ParameterFilters in a single request.";
        return Err(refuse("ValidationException", message));
    }
    let mut filters = Vec::new();
    for (filter, default) in new.iter().map(|f| (f, None)).chain(old.iter().map(|f| (f, Some("BeginsWith")))) {
        let key = filter.string("Key")?;
        let option = match (key.as_str(), filter.opt_str("Option").or(default.filter(|_| key == "Name"))) {
            ("Path", option) => option.unwrap_or("OneLevel"),
            (_, option) => option.unwrap_or("Equals"),
        };
        let allowed: &[&str] = match key.as_str() {
            "Path" => &["Recursive", "OneLevel"],
            "Name" => &["BeginsWith", "Equals", "Contains"],
            _ => &["BeginsWith", "Equals"],
        };
        let name = if key.starts_with("tag:") { "tag:" } else { key.as_str() };
        if !known.contains(&name) {
            return Err(refuse(
                "InvalidFilterKey",
                format!(
                    "The following filter key is not valid: {key}. Valid filter keys include: [{}].",
                    known.join(", ")
                ),
            ));
        }
        if !allowed.contains(&option) {
            return Err(refuse(
                "InvalidFilterOption",
                format!(
                    "The following filter option is not valid: {option}. Valid options include: [{}].",
                    allowed.join(", ")
                ),
            ));
        }
        let values = filter.strings("Values");
        if values.is_empty() && !key.starts_with("tag:") {
            return Err(refuse("InvalidFilterValue", format!("The filter {key} needs at least one value.")));
        }
        filters.push(Filter { option: option.to_owned(), key, values });
    }
    Ok(filters)
}

/// Whether a name lies under a path, directly or anywhere below.
pub(super) fn under(name: &str, path: &str, recursive: bool) -> bool {
    let path = path.trim_end_matches('/');
    match name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => recursive || !rest.contains('/'),
        // What has no path lies under the root.
        None => path.is_empty() && !name.contains('/'),
    }
}

impl Filter {
    pub(super) fn fits(&self, parameter: &Resource) -> bool {
        if let Some(tag) = self.key.strip_prefix("tag:") {
            return match parameter.tags.get(tag) {
                Some(value) => self.values.is_empty() || self.matches(value),
                None => false,
            };
        }
        match self.key.as_str() {
            "Path" => self.values.iter().any(|path| under(&parameter.id, path, self.option == "Recursive")),
            // A name fits with or without the slash that it begins with.
            "Name" => self.matches(&parameter.id) || self.matches(parameter.id.trim_start_matches('/')),
            key => self.matches(parameter.text(key)),
        }
    }

    fn matches(&self, text: &str) -> bool {
        self.values.iter().any(|value| match self.option.as_str() {
            "BeginsWith" => text.starts_with(value),
            "Contains" => text.contains(value),
            _ => text == value,
        })
    }
}
