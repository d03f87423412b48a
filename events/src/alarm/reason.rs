//! What CloudWatch's words for a change of state say in figures. All forms carry these words; only some of them carry
//! the figures too.

use serde_json::Value;

use crate::json;

/// The figures behind a change of state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The newest value that was judged.
    pub value: Option<String>,
    /// What it was held against: `> 80`, `not > 80`, `< 0.0205 or > 0.3`.
    pub limit: Option<String>,
    /// How many of how many values: `3 of 5`.
    pub count: Option<String>,
}

impl Evidence {
    /// Reads the words; what they do not say is taken from the figures beside them and from the alarm's settings.
    pub(super) fn read(words: &str, figures: &Value, settings: &Value) -> Self {
        let told = Self::told(words);
        let newest = || {
            let evaluated = json::list(figures, &["evaluatedDatapoints"]).first();
            let value = evaluated.and_then(|point| json::number(point, &["value"]));
            value.or_else(|| json::list(figures, &["recentDatapoints"]).first().and_then(Value::as_f64))
        };
        let threshold = || json::number(settings, &["Threshold"]).or_else(|| json::number(figures, &["threshold"]));
        let operator = json::first(settings, &["ComparisonOperator", "comparisonOperator"]).and_then(sign);
        Self {
            value: told.value.or_else(|| newest().map(json::plain)),
            limit: told.limit.or_else(|| Some(format!("{} {}", operator?, json::plain(threshold()?)))),
            count: told.count,
        }
    }

    /// `Threshold Crossed: 1 out of the last 1 datapoints [99.0 (05/01/26 09:00:00)] was greater than the threshold
    /// (80.0) (minimum 1 datapoint for OK -> ALARM transition).`
    fn told(words: &str) -> Self {
        let Some((_, rest)) = words.split_once("hreshold Crossed:").or_else(|| words.split_once("hresholds Crossed:"))
        else {
            return Self::default();
        };
        let count =
            rest.split_once(" datapoints [").or_else(|| rest.split_once(" datapoint [")).map(|(count, _)| count);
        let count = count.and_then(|count| {
            let (some, all) = count.split_once(" out of the last ")?;
            let number = |text: &str| text.trim().parse::<u32>().ok();
            Some(format!("{} of {}", number(some)?, number(all)?))
        });
        let points = rest.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        let value = points.and_then(|(points, _)| points.split_whitespace().next()?.parse().ok()).map(json::plain);
        let judged = points.map(|(_, after)| after).and_then(|after| {
            let (_, after) = after.split_once("was ").or_else(|| after.split_once("were "))?;
            Some(after.split_once(" (minimum").map_or(after, |(judged, _)| judged))
        });
        Self { value, limit: judged.and_then(limit), count }
    }
}

/// `greater than or equal to the threshold (80.0)` → `≥ 80`.
fn limit(judged: &str) -> Option<String> {
    let parts = judged.split(" or ").collect::<Vec<_>>().join("\n").replace("than\nequal", "than or equal");
    let parts: Option<Vec<String>> = parts.lines().map(part).collect();
    parts.map(|parts| parts.join(" or ")).filter(|text| !text.is_empty())
}

fn part(text: &str) -> Option<String> {
    let text = text.trim();
    let (not, text) = text.strip_prefix("not ").map_or(("", text), |rest| ("not ", rest));
    let sign =
        [("greater than or equal to", "≥"), ("less than or equal to", "≤"), ("greater than", ">"), ("less than", "<")];
    let (sign, rest) = sign.iter().find_map(|(words, sign)| Some((sign, text.strip_prefix(words)?)))?;
    let number = rest.split(['(', '[']).nth(1)?.split([')', ']', ',', ' ']).next()?.parse().ok().map(json::plain)?;
    Some(format!("{not}{sign} {number}"))
}

fn sign(operator: &str) -> Option<&'static str> {
    match operator {
        "GreaterThanOrEqualToThreshold" => Some("≥"),
        "GreaterThanThreshold" | "GreaterThanUpperThreshold" => Some(">"),
        "LessThanOrEqualToThreshold" => Some("≤"),
        "LessThanThreshold" | "LessThanLowerThreshold" => Some("<"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(words: &str) -> (Option<String>, Option<String>, Option<String>) {
        let Evidence { value, limit, count } = Evidence::read(words, &Value::Null, &Value::Null);
        (value, limit, count)
    }

    fn some(value: &str, limit: &str, count: &str) -> (Option<String>, Option<String>, Option<String>) {
        (Some(value.to_owned()), Some(limit.to_owned()), Some(count.to_owned()))
    }

    #[test]
    fn the_words_for_a_threshold_become_figures() {
        let words = "Threshold Crossed: 3 out of the last 5 datapoints [99.0 (05/01/26 09:02:00), 97.5 (05/01/26 \
                     09:01:00), 96.0 (05/01/26 09:00:00)] were greater than or equal to the threshold (80.0) (minimum \
                     3 datapoints for OK -> ALARM transition).";
        assert_eq!(told(words), some("99", "≥ 80", "3 of 5"));
        let words = "Threshold Crossed: 1 out of the last 1 datapoints [0.166 (05/01/26 09:00:00)] was not greater \
                     than the threshold (80.0) (minimum 1 datapoint for ALARM -> OK transition).";
        assert_eq!(told(words), some("0.166", "not > 80", "1 of 1"));
    }

    #[test]
    fn the_words_for_a_band_become_figures() {
        let words = "Thresholds Crossed: 1 out of the last 1 datapoints [0.0 (05/01/26 09:00:00)] was less than the \
                     lower thresholds [0.020599444741798756] or greater than the upper thresholds \
                     [0.3006915352732461] (minimum 1 datapoint for OK -> ALARM transition).";
        assert_eq!(told(words), some("0", "< 0.0205 or > 0.3", "1 of 1"));
    }

    #[test]
    fn other_words_say_nothing_in_figures() {
        for words in [
            "",
            "testing purposes",
            "Unchecked: Initial alarm creation",
            "Threshold Crossed: [",
            "Threshold Crossed: no datapoints were received for 5 periods and 5 missing datapoints were treated as [Breaching].",
        ] {
            assert_eq!(told(words), (None, None, None), "{words}");
        }
    }

    #[test]
    fn what_the_words_leave_out_comes_from_the_settings() {
        let settings = json!({"Threshold": "80", "ComparisonOperator": "LessThanThreshold"});
        let figures = json!({"recentDatapoints": [12.5]});
        let evidence = Evidence::read("set by hand", &figures, &settings);
        assert_eq!((evidence.value.as_deref(), evidence.limit.as_deref()), (Some("12.5"), Some("< 80")));
    }
}
