//! Domain names as Route 53 keeps, orders and shows them.
//! <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html>

use crate::error::{ApiError, refuse};

/// A name in lower case with its last dot.
pub(super) fn normal(text: &str) -> Result<String, ApiError> {
    let name = format!("{}.", text.trim_end_matches('.').to_ascii_lowercase().replace("\\052", "*"));
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_graphic() && b != b'.')
    };
    match name.len() <= 255 && name.trim_end_matches('.').split('.').all(label) {
        true => Ok(name),
        false => Err(refuse("InvalidDomainName", format!("{text} is not a valid domain name"))),
    }
}

/// An asterisk comes back as its octal escape.
pub(super) fn shown(name: &str) -> String {
    name.replace('*', "\\052")
}

/// Names are ordered by their labels from the last to the first.
pub(super) fn order(name: &str) -> String {
    let mut labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    labels.reverse();
    labels.join(".")
}

/// Whether a name is a zone's own or lies below it.
pub(super) fn within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_in_lower_case_with_a_dot_and_ordered_from_behind() {
        assert_eq!(normal("Shop.Example.COM").unwrap(), "shop.example.com.");
        assert_eq!(shown("*.example.com."), "\\052.example.com.");
        assert!(order("z.example.com.") > order("b.a.example.com."));
        assert!(normal("a..b").is_err());
    }

    #[test]
    fn a_name_lies_within_its_own_zone_only() {
        assert!(within("a.example.com.", "example.com.") && within("example.com.", "example.com."));
        assert!(!within("badexample.com.", "example.com."));
    }
}
