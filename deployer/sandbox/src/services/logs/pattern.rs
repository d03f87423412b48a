//! Filter patterns of unstructured logs: terms that must, may or must not occur.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

use crate::error::ApiError;

/// What an event's text must be like.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Patterns over JSON, fields and regular expressions are not simulated.
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        let text = text.trim();
        if text.starts_with(['{', '[', '%']) {
            return Err(ApiError::not_simulated("filter patterns other than terms"));
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (list, after) = match rest.as_bytes().first() {
                Some(b'?') => (&mut pattern.any, &rest[1..]),
                Some(b'-') => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            if !term.is_empty() {
                list.push(term.to_owned());
            }
            rest = next.trim_start();
        }
        Ok(pattern)
    }

    /// Whether a text fits; case matters.
    pub(super) fn fits(&self, text: &str) -> bool {
        let occurs = |term: &String| text.contains(term.as_str());
        self.all.iter().all(occurs)
            && (self.any.is_empty() || self.any.iter().any(occurs))
            && !self.none.iter().any(occurs)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::read(pattern).is_ok_and(|pattern| pattern.fits(text))
    }

    #[test]
    fn terms_must_may_or_must_not_occur() {
        assert!(fits("", "anything"));
        assert!(fits("ERROR disk", "disk ERROR") && !fits("ERROR disk", "ERROR"));
        assert!(fits("\"disk full\"", "the disk full again") && !fits("\"disk full\"", "full disk"));
        assert!(fits("?ERROR ?WARN", "a WARN") && !fits("?ERROR ?WARN", "an INFO"));
        assert!(fits("ERROR -expected", "ERROR") && !fits("ERROR -expected", "expected ERROR"));
        assert!(!fits("ERROR", "error"));
    }

    #[test]
    fn patterns_over_fields_are_not_simulated() {
        assert!(Pattern::read("{ $.level = \"error\" }").is_err());
    }
}
