//! Lists: filters and pages.
//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_NamespaceFilter.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::invalid;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::shared::page;
use crate::store::Resource;

/// A filter of a list: the name, its condition and its values.
struct Filter {
    name: String,
    prefix: bool,
    values: Vec<String>,
}

impl Filter {
    fn read(input: &Input) -> Result<Self, ApiError> {
        let (name, values) = (input.string("Name")?, input.strings("Values"));
        let prefix = match input.opt_str("Condition").unwrap_or("EQ") {
            "EQ" if values.len() == 1 => false,
            "EQ" => return Err(invalid("The condition EQ takes one value")),
            "IN" => false,
            "BEGINS_WITH" => true,
            other => return Err(ApiError::not_simulated(format!("filters of Cloud Map by {other}"))),
        };
        Ok(Self { name, prefix, values })
    }

    fn passes(&self, text: &str) -> bool {
        self.values.iter().any(|value| if self.prefix { text.starts_with(value) } else { text == value })
    }
}

/// The objects that pass the request's filters; `value` gives what a filter of a name looks at, none for a name that
/// is unknown.
pub(super) fn filtered(
    input: &Input,
    mut all: Vec<Arc<Resource>>,
    value: impl Fn(&Resource, &str) -> Option<String>,
) -> Result<Vec<Arc<Resource>>, ApiError> {
    for filter in input.objects("Filters") {
        let filter = Filter::read(&filter)?;
        let mut kept = Vec::new();
        for one in all {
            let text = value(&one, &filter.name);
            let text = text.ok_or_else(|| invalid(format!("The filter {} is not valid here", filter.name)))?;
            if filter.passes(&text) {
                kept.push(one);
            }
        }
        all = kept;
    }
    Ok(all)
}

/// A page of a list under its name.
pub(super) fn paged(input: &Input, name: &str, items: Vec<Value>) -> Outcome {
    let size = input.opt_int("MaxResults")?.unwrap_or(100);
    if !(1..=100).contains(&size) {
        return Err(invalid("MaxResults must be between 1 and 100"));
    }
    let page = page(items, input.opt_str("NextToken"), usize::try_from(size).unwrap_or(100));
    let page = page.ok_or_else(|| invalid("The value of NextToken is not valid"))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}
