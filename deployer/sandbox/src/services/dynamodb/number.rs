//! DynamoDB's numbers: decimals of up to 38 digits, exact.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number>

use std::cmp::Ordering;

use super::invalid;
use crate::error::ApiError;

/// `0.digits × 10^exponent`, without zeros at either end of the digits; zero has no digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    digits: String,
    exponent: i32,
}

impl Number {
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let wrong = || invalid(format!("The parameter cannot be converted to a numeric value: {text}"));
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i32>().map_err(|_| wrong())?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) || power.abs() > 1000 {
            return Err(wrong());
        }
        let point = i32::try_from(whole.len()).map_err(|_| wrong())? + power;
        Self::normal(negative, &all, point)
    }

    fn normal(negative: bool, digits: &str, point: i32) -> Result<Self, ApiError> {
        let trimmed = digits.trim_start_matches('0');
        let exponent = point - i32::try_from(digits.len() - trimmed.len()).unwrap_or(0);
        let digits = trimmed.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Ok(Self { negative: false, digits, exponent: 0 });
        }
        if digits.len() > 38 {
            return Err(invalid("Attempting to store more than 38 significant digits in a Number"));
        }
        if exponent > 126 {
            return Err(invalid(
                "Number overflow. Attempting to store a number with magnitude larger than supported range",
            ));
        }
        if exponent < -129 {
            return Err(invalid(
                "Number underflow. Attempting to store a number with magnitude smaller than supported range",
            ));
        }
        Ok(Self { negative, digits, exponent })
    }

    pub(crate) fn negated(mut self) -> Self {
        self.negative = !self.negative && !self.digits.is_empty();
        self
    }

    pub(crate) fn plus(&self, other: &Self) -> Result<Self, ApiError> {
        let scale = |n: &Self| i32::try_from(n.digits.len()).unwrap_or(0) - n.exponent;
        let places = scale(self).max(scale(other));
        let sum = self
            .scaled(places)
            .zip(other.scaled(places))
            .and_then(|(a, b)| a.checked_add(b))
            .ok_or_else(|| invalid("Attempting to store more than 38 significant digits in a Number"))?;
        let digits = sum.unsigned_abs().to_string();
        let point = i32::try_from(digits.len()).unwrap_or(0) - places;
        Self::normal(sum < 0, &digits, point)
    }

    /// The number times `10^places`, when that is a whole number of bearable size.
    fn scaled(&self, places: i32) -> Option<i128> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let zeros = u32::try_from(places + self.exponent - i32::try_from(self.digits.len()).ok()?).ok()?;
        let value = self.digits.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(zeros)?)?;
        Some(if self.negative { -value } else { value })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |n: &Self| {
            if n.digits.is_empty() {
                0
            } else if n.negative {
                -1
            } else {
                1
            }
        };
        let size = || self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let point = usize::try_from(self.exponent).unwrap_or(0);
        if self.exponent <= 0 {
            let zeros = usize::try_from(-self.exponent).unwrap_or(0);
            write!(f, "0.{}{}", "0".repeat(zeros), self.digits)
        } else if point >= self.digits.len() {
            write!(f, "{}{}", self.digits, "0".repeat(point - self.digits.len()))
        } else {
            write!(f, "{}.{}", &self.digits[..point], &self.digits[point..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_kept_exactly_and_shown_plainly() {
        for (given, shown) in
            [("1.0", "1"), ("007", "7"), ("1e3", "1000"), ("-0", "0"), ("0.0500", "0.05"), ("-12.50", "-12.5")]
        {
            assert_eq!(n(given).to_string(), shown);
        }
        assert!(Number::parse("x").is_err() && Number::parse("").is_err() && Number::parse("1.2.3").is_err());
    }

    #[test]
    fn numbers_add_and_compare_as_decimals() {
        assert_eq!(n("0.1").plus(&n("0.2")).unwrap().to_string(), "0.3");
        assert_eq!(n("5").plus(&n("7").negated()).unwrap().to_string(), "-2");
        assert_eq!(n("99").plus(&n("1")).unwrap().to_string(), "100");
        assert!(n("9") < n("10") && n("-10") < n("-9") && n("-1") < n("0") && n("0.9") < n("1"));
        assert_eq!(n("1.50"), n("1.5"));
    }
}
